//! Commands in the order in which both are asked; `@` is the folder, `~` a blank in a word, `''` an
//! empty word.

pub(crate) const QUESTIONS: &str = "\
status
status one
status two short
status one cymru
status one nix
status nix
status one a b
ping
ping 3
ping x
echo a b~c
echo
version
version x
sleep
sleep 0.1
server-status
flushlogs
help
nix
nix x
get
get loglevel
get logtarget
get syslogsocket
get dbfile
get dbmaxmatches
get dbpurgeage
get thread
get allowipv6
get nix nix
get nix bantime
get one nix
get one idle
get one bantime
get two bantime
get one findtime
get one maxretry
get one maxmatches
get one maxlines
get two maxlines
get one usedns
get two usedns
get one logpath
get one logencoding
get one journalmatch
get one ignoreself
get one ignoreip
get two ignoreip
get one ignorecommand
get two ignorecommand
get one ignorecache
get two ignorecache
get one prefregex
get two prefregex
get one failregex
get two failregex
get one ignoreregex
get two ignoreregex
get one datepattern
get two datepattern
get one logtimezone
get two logtimezone
get one actions
get two actions
get one action noop actionban
get one action noop actioncheck
get one action noop timeout
get one action noop name
get one action other name
get one action other word
get one action noop norestored
get one action noop banEpoch
get one action noop nix
get one action nix actionban
get one action noop
get one action
get one actionproperties other
get one actionproperties nix
get one actionproperties
get one actionmethods noop
get two bantime.increment
get two bantime.maxtime
get two bantime.nix
get one bantime.increment
get one banip
get one banip --with-time
get one banned
get one banned 192.0.2.9
get one banned 192.0.2.9 192.0.2.10
get nix banned
get nix banip
banned
banned 192.0.2.9
banned 192.0.2.9 192.0.2.10
set
set one
set one nix
set one nix x
set nix nix x
set nix bantime 5
set nix
unban
";

pub(crate) const SETTINGS: &str = "\
set one idle on
set one idle off
set one idle x
set one idle
set one ignoreself false
set one ignoreself yes
set one addignoreip 198.51.100.7/24 192.0.2.1
set one addignoreip
set one addignoreip 192.0.2.1/x
set one addignoreip 192.0.2.1/255.0.255.0
set one delignoreip 10.0.0.1
set one delignoreip 10.0.0.5/8
set one delignoreip nix
set one delignoreip
set one ignorecommand x~<ip>
set one ignorecommand ''
set one ignorecache key=<ip>,max-count=7,max-time=1m
set one ignorecache ''
set one addlogpath @/a.log tail
set one addlogpath @/a.log x
set one addlogpath @/a.log tail x
set one dellogpath @/b.log
set one dellogpath /nix
set one addlogpath @/b.log
set one logencoding ascii
set one logencoding nix
set one logencoding auto
set one addjournalmatch _A=b
set one prefregex ^x~(?P<content>.*)
set one prefregex ''
set two addfailregex ^more~(?P<fid>\\S+)
set two addfailregex ^more
set two delfailregex 1
set two delfailregex 7
set two delfailregex x
set two delfailregex -2
set two delfailregex -1
set two addignoreregex ^a
set two delignoreregex 0
set two usedns Yes
set two usedns x
set two findtime 1h
set two findtime -1
set two datepattern %Y~%m
set two datepattern EPOCH
set two datepattern ''
set two logtimezone UTC-0230
set two logtimezone ''
set two maxmatches 3
set two maxmatches x
set two maxretry 7
set two maxretry -1
set two maxlines 2
set two maxlines 0
set two bantime 1d
set two bantime 1.5
set two bantime -1
set two bantime.increment false
set two bantime.factor 2
set two bantime.maxtime 1w
set two bantime.rndtime 8m
set two bantime.multipliers 1~2~4
set two bantime.multipliers 1~x
set two bantime.overalljails yes
set two bantime.formula ban.Time
set two bantime.nix x
set two bantime.nix ''
set two bantime.factor ''
get two bantime.rndtime
set two addaction act
set two addaction act
get two actions
get two actionproperties act
set two action act actionban echo~<ip>
get two action act actionban
set two action act name x
set two action act name
set two action act timeout 5
set two action nix name x
get two actionproperties act
set two actions
set two delaction act
set two delaction act
";

pub(crate) const SERVER: &str = "\
set loglevel debug
set loglevel nix
set loglevel 20
get loglevel
set loglevel INFO
set loglevel
set logtarget
set logtarget /nix/nix
set logtarget STDOUT
flushlogs
set logtarget @/f2b.log
flushlogs
set syslogsocket /dev/log
set syslogsocket auto
set dbfile /tmp/nix
set dbfile @/run/db
set dbmaxmatches 5
set dbmaxmatches x
set dbpurgeage 2d
set allowipv6 yes
set allowipv6 auto
";

pub(crate) const JOURNAL: &str = "\
status three
get three logpath
get three journalmatch
get three datepattern
set three addlogpath @/a.log
set three dellogpath @/a.log
set three addjournalmatch _A=b + _C=d _E=f
set three addjournalmatch nix
set three deljournalmatch _A=b
set three deljournalmatch _C=d _E=f
set three deljournalmatch _X=b
";

/// Refused by both, in other words.
pub(crate) const ACCIDENTS: &str = "\
set two findtime x
set two findtime 10q
set two bantime x
set dbpurgeage x
sleep x
set thread 5
set one attempt
set one ignorecache x
set one addlogpath /nix
get one action noop ban
set one action noop ban x
multi-set one
server-stream
add --all
";

pub(crate) const ATTEMPTS: &str = "\
set one attempt 192.0.2.77 a b
set one attempt 192.0.2.77
set one attempt 192.0.2.78
";

pub(crate) const BANS: &str = "\
set one banip 203.0.113.1 203.0.113.2 2001:DB8::5 198.51.100.9/24 some-id
set one banip some-id
set one banip
set two banip 203.0.113.1 192.0.2.200/255.255.255.0
set nix banip 192.0.2.1
";

pub(crate) const LISTS: &str = "\
status
status one
status one short
status two
get one banip ,
get one banip --with-time
get two banip --with-time
get one banned
get one banned 203.0.113.1
get one banned 203.0.113.1 192.0.2.9 198.51.100.0/24
banned
banned 203.0.113.1
banned 203.0.113.1 some-id 192.0.2.9
";

pub(crate) const UNBANS: &str = "\
set one unbanip 192.0.2.9
set one unbanip 192.0.2.9 203.0.113.1
set one unbanip --report-absent 192.0.2.9
set one unbanip --report-absent 192.0.2.9 203.0.113.2 192.0.2.10
set one unbanip
set one unbanip --report-absent
set one banip 203.0.113.1 203.0.113.2 203.0.113.3
set one unbanip 203.0.113.0/31
set one unbanip 2001:db8::/32
set one unbanip some-id
set nix unbanip 192.0.2.1
unban 203.0.113.1
unban 192.0.2.9
unban --all x
";

pub(crate) const JAILS: &str = "\
add five polling
status five
start five
start five
get five failregex
start nix
start a b
add six nix
add
stop five
stop nix
stop a b
status
";
