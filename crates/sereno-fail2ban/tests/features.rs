//! Trees of our own that use every feature, beside `fail2ban-client -d`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::too_many_lines,
    dead_code,
    reason = "a test reads real files, asks the real program, and looks at the clock"
)]

mod common;

use common::{Disk, difference, installed, ours, real};
use sereno_fail2ban::{Severity, read};
use std::fs;
use std::path::Path;

/// Writes files; each begins with a line `== path`.
fn write(base: &Path, files: &str) {
    for file in files.split("== ").skip(1) {
        let (path, text) = file.split_once('\n').unwrap();
        let path = base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Compares a tree with the real reading of it.
fn compare(files: &str) {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let tree = read(&Disk, folder.path().to_str().unwrap());
    let errors: Vec<String> = tree
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    let wanted = real(folder.path()).unwrap();
    println!("{} commands", wanted.len());
    assert_eq!(difference(&ours(&tree), &wanted), None, "{}", errors.join("\n"));
    assert_eq!(errors, [""; 0]);
}

const COMMON: &str = "== fail2ban.conf\n[Definition]\nloglevel = DEBUG\n\
    == action.d/a.conf\n[Definition]\nactionban = echo <ip>\n\
    == filter.d/f.conf\n[Definition]\nfailregex = ^x <HOST>$\n";

fn with(files: &str) -> String {
    format!("{COMMON}{files}")
}

#[test]
fn later_files_go_over_earlier_ones() {
    compare(&with(
        "== fail2ban.d/x.conf\n[Definition]\ndbpurgeage = 2d\n[Thread]\nstacksize = 64\n\
         == fail2ban.local\n[Definition]\ndbmaxmatches = 5\ndbpurgeage = 3d\n\
         == jail.conf\n[DEFAULT]\nmaxretry = 1\nbantime: 1h\naction = a\n\
         [one]\nfilter = f\nENABLED = 1\n[two]\nenabled = no\nfilter = f\n\
         == jail.d/b.conf\n[one]\nmaxretry = 2\nfindtime = 1\n\
         == jail.d/a.conf\n[one]\nmaxretry = 3\n[three]\nenabled = on\nfilter = f\n\
         == jail.d/.hidden.conf\n[one]\nmaxretry = 99\n\
         == jail.local\n[DEFAULT]\nmaxretry = 4\n[two]\nenabled = true\n\
         == jail.d/z.local\n[one]\nmaxretry = 5\nfindtime =\n",
    ));
}

#[test]
fn includes_come_before_and_after() {
    compare(&with(
        "== jail.conf\n[INCLUDES]\nbefore = p-%(os)s.conf\n   sub/q.conf\nafter = r.conf\n\n  gone.local\n\
         [DEFAULT]\nos = deb\naction = a\n[j]\nenabled = true\nfilter = f[x=%(x)s, y=%(y)s]\n\
         == p-deb.conf\n[DEFAULT]\nx = 1\ny = p\n[j]\nmaxretry = 1\nignoreip = ::1\n\
         == p-deb.local\n[DEFAULT]\nx = 2\n\
         == sub/q.conf\n[INCLUDES]\nbefore = ../p-deb.conf\n  s.conf\n[DEFAULT]\ny = q\n\
         == sub/s.conf\n[INCLUDES]\nafter = q.conf\n[DEFAULT]\nbantime = 3h\n\
         == r.conf\n[j]\nignoreip = %(known/ignoreip)s 10.0.0.0/8\n\
         == r.local\n[j]\nmaxretry = 7\nfindtime = %(known/maxretry)s\n",
    ));
}

#[test]
fn values_refer_to_each_other() {
    compare(&with(
        "== filter.d/g.conf\n[Definition]\nfailregex = ^%(_d)s <HOST> <mode-<mode>>\n  ^second <x>\n\
         \n  # no\n  ^third ; remark\n_d = d(%(__name__)s)\nmode-a = A<x>\nmode-b = B\nmode = a\n\
         ignoreregex = %(failregex)s\n[Init]\nx = init\nmaxlines = 3\n\
         == filter.d/g.local\n[Definition]\nfailregex = %(known/failregex)s\n  ^fourth <known/x> <maxretry> %(backend)s\n\
         prefregex = ^<F-CONTENT>.+</F-CONTENT>$ <logtype> <lt_<logtype>/p>\n\
         [lt_file]\np = file %(q)s\n[DEFAULT]\nq = quu\n\
         == jail.conf\n[DEFAULT]\naction = a\nlater = %(own)s\nown = default\n\
         [j]\nenabled = true\nown = mine\nfilter = g[mode=b, x=\"p <known/x>\"]\nmaxretry = 9\n\
         bantime = %(default/own)s %(later)s %(__name__)s %(k/own)s %(known/own)s\n\
         failregex = %(known/failregex)s\n  ^extra %(fail2ban_version)s\n\
         ignoreregex = ^%(known/mode)s %(known/x)s\n\
         [k]\nown = kay\nenabled = true\nfilter = g\nmaxlines = 2\njournalmatch = A=1 'B=x y' + C=2\n  D=3\nusedns = raw\n\
         == jail.local\n[j]\nown = local-%(known/own)s\n",
    ).replace("bantime = %(default/own)s", "ignorecommand = %(default/own)s"));
}

#[test]
fn actions_have_parameters_and_conditions() {
    compare(&with(
        "== action.d/b.conf\n[INCLUDES]\nbefore = common.conf\n[Definition]\n\
         actionstart = <cmd> start <name> <port> <type>\n  second <bantime> <matches>\nactionstop =\n\
         actioncheck = <cmd> <known/port> <actname> <findtime> <nothing>\nactionban = %(actioncheck)s <_x>\n\
         norestored = yes\nactionstart_on_demand = 0\n_x = x<type>\nport = 1\n\
         [Init]\ntype = t4\nport = 0:65535\nproto = tcp\n[Init?family=inet6]\ntype = t6\nnew = n6\n\
         == action.d/common.conf\n[DEFAULT]\npre = P\n[Init]\ncmd = %(pre)s-<type>\nport = 2\n\
         [Init?family=inet6]\ncmd = six\n\
         == action.d/common.local\n[Init]\ncmd = L-%(known/cmd)s\n\
         == action.d/p.py\nclass Action: pass\n\
         == jail.conf\n[DEFAULT]\nport = ssh\nmail = a@b\nact = b[port=\"%(port)s\", type=x]\nfindtime = 5m\n\
         [j]\nenabled = true\nfilter = f\nbantime = 1d\naction = %(act)s\n   a\n  b[name=j-two, k='v, ]w'][z=1]\n\
         \x20 b[name=other, port=\"1,2\", proto=<known/proto>] a[actname=again, timeout=5, ]\n\
         \x20 p.py[x=\"ä\\\", y=1, actname=mail]\n  p.py\n",
    ).replace("x=\"ä\\\", y", "x=\"ä\\\\\", y"));
}

#[test]
fn odd_but_right_files_are_read() {
    compare(&with(
        "== jail.conf\n# remark\n; remark\n[DEFAULT] # not here\naction=a\n[DEFAULT]\nMaxRetry:3;no remark\n\
         [j]\n  enabled = TRUE ; remark\n  filter  =   f\n  backend\t: polling\nignoreip = 1.2.3.4,::1   host\n\
         \n\t 10.0.0.0/8\nlogpath = /nowhere/*.log\n  /etc/passwd tail\n[ñ x]\nenabled = yes\nfilter = f\n\
         == jail.d/crlf.conf\n[j]\r\nfindtime = 1m\r\n  +1h\r\n",
    ).replace("3;no remark", "3 ;no remark"));
}

/// What a page broke is told, but read as it stands wherever fail2ban reads it.
#[test]
fn lines_that_make_odd_options_are_read_as_they_stand() {
    compare(&with(
        "== filter.d/g.conf\n[Definition]\nfailregex = ^x <HOST>\n^y .*: <HOST>\n# a remark that\n\
         goes: on <HOST>\nignoreregex =\nNot: this\n== jail.conf\n[j]\nenabled = true\nfilter = g\n\
         action = a[name=x]\na[name=y, port=1]\nsender=b@c]\nlogpath = /etc/hosts\n/var: x\n",
    ));
}
