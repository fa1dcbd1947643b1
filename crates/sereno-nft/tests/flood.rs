//! What a flood of SYNs from made-up sources costs the ears: printed, with loose bounds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::Net;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};
use sereno_core::door::{Flags, Hit};
use sereno_core::gate::{Contents, Doorway, Draft, Ears as Wanted, Gate};
use sereno_core::time::Time;
use sereno_nft::{Ears, Kernel, Why};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const GROUP: u16 = 4242;
const SPAN: Duration = Duration::from_secs(3);

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Addresses in no order, each once.
fn scattered(n: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b1)
}

struct Toll {
    sent: u32,
    heard: usize,
    full: usize,
    lost: u32,
    cpu: Duration,
    wakes: usize,
}

/// Sends SYNs as fast as it goes, in so many threads, and listens meanwhile.
fn flood(net: &Net, ears: &mut Ears, threads: u32, port: fn(u32) -> u16) -> Toll {
    let done = AtomicBool::new(false);
    let mut toll = Toll { sent: 0, heard: 0, full: 0, lost: 0, cpu: Duration::ZERO, wakes: 0 };
    std::thread::scope(|scope| {
        let (net, done) = (&net, &done);
        let senders: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let (forger, start, mut sent) = (net.forger(), Instant::now(), 0);
                    while start.elapsed() < SPAN {
                        for _ in 0..100 {
                            let n = sent * threads + thread;
                            // Within 10.0.0.0/8, and never the server.
                            let from = 0x0a80_0000 | scattered(n) >> 9;
                            forger.tcp(Ipv4Addr::from_bits(from), port(n), Flags::SYN.0);
                            sent += 1;
                        }
                    }
                    sent
                })
            })
            .collect();
        let listener = scope.spawn(|| {
            let (from, mut heard, mut full, mut lost, mut wakes) = (cpu(), 0, 0, 0, 0);
            loop {
                let over = done.load(Ordering::Relaxed);
                let mut waiting = [PollFd::new(&*ears, PollFlags::IN)];
                let pause = rustix::time::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
                let ready = poll(&mut waiting, Some(&pause)).unwrap();
                if ready == 0 && over {
                    return (heard, full, lost, wakes, cpu() - from);
                }
                wakes += 1;
                let note =
                    |packet: &sereno_nft::Heard<'_>| full += usize::from(packet.why == Why::Full);
                let drained = ears.drain(256, note).unwrap();
                heard += drained.heard;
                lost += drained.lost;
            }
        });
        toll.sent = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        done.store(true, Ordering::Relaxed);
        let (heard, full, lost, wakes, cpu) = listener.join().unwrap();
        toll = Toll { heard, full, lost, cpu, wakes, ..toll };
    });
    toll
}

fn told(name: &str, toll: &Toll) {
    let each = |count: usize| if count == 0 { Duration::ZERO } else { toll.cpu / count as u32 };
    println!(
        "{name}: {} a second sent; {} heard ({} full), {} lost; {:?} of CPU in {SPAN:?}, {:?} each, {} wakes",
        toll.sent / SPAN.as_secs() as u32,
        toll.heard,
        toll.full,
        toll.lost,
        toll.cpu,
        each(toll.heard),
        toll.wakes,
    );
}

#[test]
fn a_flood_is_heard_where_it_matters_and_costs_nothing_elsewhere() {
    let Some(net) = Net::new() else { return };
    // Few enough to be full in a second, on a slow machine too.
    let wanted = Wanted { followed: 16_384, ..Wanted::of(GROUP) };
    let doorway = Doorway { ears: Some(wanted), ..Doorway::default() };
    let gate = Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap();
    let hits = [Hit::tcp(7000), Hit::tcp(8000), Hit::tcp(9000)];
    let contents = Contents { hits: &hits, ..Contents::default() };
    let (mut kernel, mut ears) = net.serve(|| {
        let mut kernel = Kernel::open().unwrap();
        kernel.install(&gate, contents, Time::default()).unwrap();
        (kernel, Ears::open(GROUP).unwrap())
    });
    net.hush();
    for threads in [1, 2] {
        // Knock ports are none of those.
        let toll = flood(&net, &mut ears, threads, |n| 10_000 + (n % 40_000) as u16);
        told(&format!("any port, {threads} sending"), &toll);
        assert_eq!((toll.heard, toll.lost), (0, 0));
        let toll = flood(&net, &mut ears, threads, |_| 7000);
        told(&format!("first port, {threads} sending"), &toll);
        assert!(toll.full > 0, "the set was never full");
        assert_eq!(toll.heard + toll.lost as usize, toll.sent as usize);
        kernel.install(&gate, contents, Time::default()).unwrap();
    }
}
