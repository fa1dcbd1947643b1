//! What to type on other systems. The host goes into the lines as it is: letters, digits, and what
//! else `is_host` allows, none of which a shell knows.

use sereno_config::invited::short;
use sereno_core::door::{Hit, Protocol};
use std::time::Duration;

/// For doors whose ports change with the time: perl's own modules, on Linux, macOS and elsewhere.
pub(super) const PERL: &str = include_str!("knock.pl");
/// The same for Windows. `NAME` stands for the door's.
const POWERSHELL: &str = include_str!("knock.ps1");

fn shorts(hits: &[Hit]) -> String {
    hits.iter().map(|hit| short(*hit)).collect::<Vec<_>>().join(" ")
}

/// For the `knock` program.
pub(super) fn knock(host: &str, hits: &[Hit], delay: Duration) -> String {
    format!("knock -d {} {host} {}", delay.as_millis(), shorts(hits))
}

/// For bash and coreutils. A SYN that nobody answers would be sent again after a second, so that
/// each knock is ended before.
pub(super) fn bash(host: &str, hits: &[Hit], delay: Duration) -> String {
    let paths: Vec<String> =
        hits.iter().map(|hit| format!("{}/{host}/{}", hit.protocol.as_str(), hit.port)).collect();
    format!(
        "for p in {}; do timeout 0.3 bash -c \"printf x >/dev/$p\"; sleep {}; done 2>/dev/null",
        paths.join(" "),
        delay.as_secs_f64(),
    )
}

/// For perl, which macOS has.
pub(super) fn perl(host: &str, hits: &[Hit], delay: Duration) -> String {
    let code = "$h=shift;$d=shift;for(@ARGV){($p,$u)=split/:/;\
                $s=IO::Socket::IP->new(PeerHost=>$h,PeerPort=>$p,Type=>$u?SOCK_DGRAM:SOCK_STREAM,Blocking=>0);\
                send $s,\"\\0\",0 if $s&&$u;select undef,undef,undef,$d}";
    let (delay, ports) = (delay.as_secs_f64(), shorts(hits));
    format!("perl -MIO::Socket::IP -e '{code}' {host} {delay} {ports}")
}

/// For Python, which a-Shell has.
pub(super) fn python(host: &str, hits: &[Hit], delay: Duration) -> String {
    let code = "import sys,time,socket as n\\nh,d,*k=sys.argv[1:]\\nfor k in k:\
                \\n p,_,u=k.partition(\":\");f,_,_,_,a=n.getaddrinfo(h,p)[0];s=n.socket(f,2 if u else 1);s.setblocking(0)\
                \\n s.sendto(b\"\\0\",a) if u else s.connect_ex(a);time.sleep(float(d));s.close()";
    let code = code.replace("\\n", "\n");
    format!("python3 -c '{code}' {host} {} {}", delay.as_secs_f64(), shorts(hits))
}

/// For PowerShell. Windows sends a SYN that was refused again after half a second, so that each
/// knock is ended before.
pub(super) fn powershell(host: &str, hits: &[Hit], delay: Duration) -> String {
    let sleep = format!("Start-Sleep -Milliseconds {}; $s.Close()", delay.as_millis().max(200));
    let one = |hit: &Hit| match hit.protocol {
        Protocol::Tcp => format!(
            "$s = New-Object System.Net.Sockets.TcpClient; [void]$s.BeginConnect('{host}', {}, $null, $null); {sleep}",
            hit.port
        ),
        Protocol::Udp => format!(
            "$s = New-Object System.Net.Sockets.UdpClient; [void]$s.Send([byte[]](0), 1, '{host}', {}); {sleep}",
            hit.port
        ),
    };
    hits.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// For PowerShell, of a door whose ports change with the time.
pub(super) fn powershell_timed(name: &str) -> String {
    POWERSHELL.replace("NAME", name)
}
