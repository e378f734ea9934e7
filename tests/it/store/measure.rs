//! Numbers, not verdicts: run by hand on a release build.
//! `cargo nextest run --release --run-ignored only --no-capture store::measure`

use std::ops::ControlFlow;
use std::time::Instant as Clock;

use hdrhistogram::Histogram;
use scalper::journal::codec::Encoder;
use scalper::store::Store;
use scalper::store::place::StoreUrl;
use scalper::store::replay;
use scalper_decide::domain::{Event, Seq, Stamp, Tick};

use super::conformance::{new_run, options};
use super::market_day;
use super::postgres::Server;

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
    let mut encoder = Encoder::new(Seq(0));
    let begun = Clock::now();
    let mut bytes = 0;
    for (stamp, tick) in &ticks {
        encoder.tick(*stamp, tick);
        if stamp.seq.0 % 1_000 == 0 {
            bytes += encoder.take().map_or(0, |block| block.bytes.len());
        }
    }
    let per_tick = begun.elapsed().as_nanos() as f64 / ticks.len() as f64;
    println!(
        "append: {per_tick:.1} ns per tick, {:.1} bytes per tick, {} ticks",
        bytes as f64 / ticks.len() as f64,
        ticks.len()
    );

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
            let begun = Clock::now();
            let mut count = 0_u64;
            let replayed = replay::day(store.readers(), day, |_| {
                count += 1;
                ControlFlow::Continue(())
            })
            .await
            .unwrap();
            let rate = replayed.events as f64 / begun.elapsed().as_secs_f64();
            println!("{url}: replay {rate:.0} events/s over {} segments", replayed.segments);
            store.close().await;
        });
    }
}
