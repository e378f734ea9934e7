//! Numbers, not verdicts: run by hand on a release build.
//! `cargo nextest run --release --run-ignored only --no-capture store::measure`

use std::ops::ControlFlow;
use std::time::Instant as Clock;

use hdrhistogram::Histogram;
use scalper::journal::codec::Encoder;
use scalper::journal::segment::{Segment, SegmentFault, SegmentReader, Tail};
use scalper::store::Store;
use scalper::store::place::StoreUrl;
use scalper::store::replay;
use scalper_decide::domain::{Event, Seq, Stamp, Tick};

use super::conformance::{new_run, options};
use super::market_day;
use super::postgres::Server;

/// Time this thread ran; a busy machine does not count.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number")
}

fn ticks() -> (chrono::NaiveDate, Vec<(Stamp, Tick)>) {
    let mut ticks = Vec::new();
    let day = market_day::play(1, 1_000_000, &mut |stamp, event, _, _| {
        if let Event::Tick(tick) = event {
            ticks.push((Stamp { seq: Seq(ticks.len() as u64 + 1), at: stamp.at }, *tick));
        }
        ControlFlow::Continue(())
    });
    (day, ticks)
}

#[test]
#[ignore = "prints numbers"]
fn cost_of_the_journal() {
    let (day, ticks) = ticks();
    // A few thousand ticks over and over: in the daemon a tick is in the cache when it is journalled.
    let mut encoder = Encoder::new(Seq(0));
    let (mut bytes, mut seq) = (0, 0);
    let begun = cpu_nanos();
    for _ in 0..200 {
        for (stamp, tick) in &ticks[500_000..505_000] {
            seq += 1;
            encoder.tick(Stamp { seq: Seq(seq), at: stamp.at }, tick);
        }
        bytes += encoder.take().map_or(0, |block| block.bytes.len());
    }
    let per_tick = (cpu_nanos() - begun) as f64 / seq as f64;
    println!("append: {per_tick:.1} ns of CPU per tick, {:.1} bytes per tick", bytes as f64 / seq as f64);
    let mut encoder = Encoder::new(Seq(0));
    for (stamp, tick) in &ticks {
        encoder.tick(*stamp, tick);
    }
    let block = encoder.take().expect("ticks");
    let segment = Segment::seal(uuid::Uuid::nil(), &block, [0; 32]);
    println!("segment: {:.1} bytes per tick", segment.payload.len() as f64 / ticks.len() as f64);
    let begun = cpu_nanos();
    let tail = Tail::genesis([0; 32], Seq(0));
    SegmentReader::new().read(&segment, &tail, |_, _| Ok::<_, SegmentFault>(())).unwrap();
    let per_tick = (cpu_nanos() - begun) as f64 / ticks.len() as f64;
    println!("decode: {per_tick:.1} ns of CPU per tick, unpacked and proved");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::start("cost_of_the_journal");
    let mut urls = vec![None];
    urls.extend(server.as_ref().map(|s| Some(s.database("measure"))));
    for url in urls {
        let dir = tempfile::tempdir().unwrap();
        let url = url.map_or_else(|| StoreUrl::default_in(dir.path()), |url| StoreUrl::parse(&url).unwrap());
        runtime.block_on(async {
            let store = Store::open(&options(dir.path(), &url)).await.unwrap();
            let (_, mut writer) = store.begin_run(new_run(day, Seq(0))).await.unwrap();
            let mut latencies = Histogram::<u64>::new(3).unwrap();
            for (stamp, tick) in &ticks {
                writer.append_tick(*stamp, tick).unwrap();
                if stamp.seq.0 % 1_000 == 0 {
                    let begun = Clock::now();
                    writer.commit().unwrap().for_entry().await.unwrap();
                    latencies.record(begun.elapsed().as_micros() as u64).unwrap();
                }
            }
            writer.commit().unwrap().for_entry().await.unwrap();
            println!(
                "{url}: commit p50 {} us, p99 {} us, max {} us, {} commits of 1000 ticks",
                latencies.value_at_quantile(0.5),
                latencies.value_at_quantile(0.99),
                latencies.max(),
                latencies.len()
            );
            let (begun, cpu) = (Clock::now(), cpu_nanos());
            let mut count = 0_u64;
            let replayed = replay::day(store.readers(), day, |_| {
                count += 1;
                ControlFlow::Continue(())
            })
            .await
            .unwrap();
            let rate = replayed.events as f64 / begun.elapsed().as_secs_f64();
            let of_cpu = replayed.events as f64 / ((cpu_nanos() - cpu) as f64 / 1e9);
            println!(
                "{url}: replay {rate:.0} events/s, {of_cpu:.0} per second of its CPU, {} segments",
                replayed.segments
            );
            store.close().await;
        });
    }
}
