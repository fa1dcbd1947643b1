use sereno_core::{engine::*, gate::Name, jail::*, line::Dates, rule::*, time::Time};
use std::sync::Arc;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let spec: spec::RuleSpec = toml::from_str(&std::fs::read_to_string(format!("rules/{}.toml", args[1])).unwrap()).unwrap();
    let rule = Arc::new(Rule::compile(&spec).map_err(|e| format!("{e:?}")).unwrap());
    let name = Name::new(&args[1]).unwrap();
    let bytes = std::fs::read(&args[2]).unwrap();
    let t = std::time::Instant::now();
    let mut engine = Engine::new(vec![JailPolicy::new(name, &args[1])], Friends::new(vec![]), Clock::Log, 1);
    engine.add_source(SourceId(0), &[rule], &[name], Dates::new(jiff::tz::TimeZone::UTC)).unwrap();
    let now = Time::from_secs(1795392000);
    let mut actions = vec![];
    let mut n = 0;
    engine.handle(Input::Block { source: SourceId(0), bytes: &bytes, live: false }, now, &mut actions);
    engine.settle(SourceId(0), Time(i64::MAX), &mut actions);
    for a in actions { if let Action::Ban(b) = a { n += 1; println!("{} {} {} {:?}", b.prefix, b.since, b.count, b.because); } }
    eprintln!("{n} bans, {:?} {:?} {:?}", t.elapsed(), engine.source(SourceId(0)), engine.jails().map(|j| j.1).collect::<Vec<_>>());
}
