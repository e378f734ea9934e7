//! Who may fail alone does, and only alone: design 11, G4, G6.

use std::sync::Mutex;

use super::*;

/// Fails in the way it is told to.
struct Notifier {
    _lifeline: Lifeline,
}

impl Actor for Notifier {
    type Context = Context<Self>;
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
enum Fail {
    Panic,
    Stop,
    InAFuture,
}

impl Handler<Fail> for Notifier {
    type Result = ();

    fn handle(&mut self, fail: Fail, ctx: &mut Context<Self>) {
        match fail {
            Fail::Panic => panic!("a planted bug"),
            Fail::Stop => ctx.stop(),
            Fail::InAFuture => {
                ctx.spawn(actix::fut::wrap_future(async { panic!("a planted bug in a future") }));
            }
        }
    }
}

type Notices = Arc<Mutex<Vec<Notice>>>;

fn kept(budget: Budget, factory: impl FnMut(Lifeline) -> Notifier + Send + 'static) -> (Kept<Notifier>, Notices) {
    let notices = Notices::default();
    let noted = Arc::clone(&notices);
    let arbiter = actix_rt::Arbiter::current();
    (keep("notifier", &arbiter, budget, factory, move |n| noted.lock().unwrap().push(n)), notices)
}

fn quick() -> Budget {
    Budget { wait: Duration::ZERO, ..Budget::default() }
}

#[actix::test]
async fn an_actor_that_panics_or_stops_is_rebuilt_under_a_new_address() {
    let (mut kept, notices) = kept(quick(), |lifeline| Notifier { _lifeline: lifeline });
    kept.until(|k| *k == Keeping::Alive(0)).await.unwrap();
    for (n, fail) in [Fail::Panic, Fail::Stop, Fail::InAFuture].into_iter().enumerate() {
        let old = kept.addr().expect("alive");
        let _ = old.send(fail).await;
        kept.until(|k| *k == Keeping::Alive(n as u64 + 1)).await.unwrap();
        assert!(!old.connected(), "the dead one takes nothing any more");
        assert!(kept.addr().expect("rebuilt").connected());
    }
    let panicked = |panicked| Notice::Rebuilt { name: "notifier", panicked };
    assert_eq!(*notices.lock().unwrap(), [panicked(true), panicked(false), panicked(true)]);
}

#[actix::test]
async fn the_sixth_end_within_a_minute_is_given_up_with_an_alarm() {
    let (mut kept, notices) = kept(quick(), |lifeline| Notifier { _lifeline: lifeline });
    for n in 0..=5 {
        kept.until(|k| *k == Keeping::Alive(n)).await.unwrap();
        let _ = kept.addr().expect("alive").send(Fail::Panic).await;
    }
    kept.until(|k| *k == Keeping::GaveUp).await.unwrap();
    assert!(kept.addr().is_none());
    assert_eq!(notices.lock().unwrap().last(), Some(&Notice::GaveUp { name: "notifier" }));
    assert_eq!(notices.lock().unwrap().len(), 6, "five rebuilds and the alarm");
}

#[actix::test]
async fn a_factory_that_panics_spends_the_budget_and_not_the_keeper() {
    let mut builds = 0;
    let (mut kept, _) = kept(quick(), move |lifeline| {
        builds += 1;
        assert!(builds % 2 == 0, "a planted bug in the factory");
        Notifier { _lifeline: lifeline }
    });
    kept.until(|k| matches!(k, Keeping::Alive(_))).await.unwrap();
    assert_eq!(kept.keeping(), Keeping::Alive(1));
}

#[actix::test]
async fn an_actor_that_is_told_to_stop_stays_away_without_an_alarm() {
    let (mut kept, notices) = kept(quick(), |lifeline| Notifier { _lifeline: lifeline });
    kept.until(|k| *k == Keeping::Alive(0)).await.unwrap();
    kept.stop();
    assert!(kept.until(|k| *k != Keeping::Alive(0)).await.is_err(), "the keeper is gone");
    assert!(kept.addr().is_none());
    assert!(notices.lock().unwrap().is_empty());
}

#[actix::test]
async fn the_self_test_kills_a_dummy_and_sees_it_come_back() {
    // G6
    let arbiter = actix_rt::Arbiter::new();
    assert_eq!(self_test(&arbiter.handle()).await, Ok(()));
    arbiter.stop();
}
