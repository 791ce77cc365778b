//! What is laid at the servers' door, and what is not: a deadline that a caller chose says nothing of a model.

use tokio::sync::Notify;

use super::super::server::{Ask, Door, Progress, Server, Standing};
use super::super::*;
use super::fake::{Fake, Manner, OIP, about, ask, ask_within, fault, model, remotes};
use tower::Service as _;

#[tokio::test]
async fn callers_in_a_hurry_take_a_healthy_model_from_nobody_else() {
    let fakes = [
        Fake::start(Manner::Ponders(Duration::from_millis(20))).await,
        Fake::start(Manner::Ponders(Duration::from_millis(20))).await,
    ];
    let model = model(&[&fakes[0], &fakes[1]], &format!("{OIP}deadline_ms: 5000\n"));
    let remotes = remotes();
    for age in 0..60 {
        let answer = ask_within(&remotes, about(&model, age), Duration::from_millis(1)).await;
        assert_eq!(fault(&answer), RemoteFault::Late, "{age}");
    }
    for age in 0..20 {
        assert_eq!(ask(&remotes, about(&model, age)).await.result, Ok(0.5), "{age}");
    }
}

#[tokio::test]
async fn servers_that_hang_are_found_out_though_every_caller_is_in_a_hurry() {
    let fake = Fake::start(Manner::Sleeps(Duration::from_secs(60))).await;
    let more = "deadline_ms: 200\nattempt_ms: 100\nbreaker: { calls: 5, pause_ms: 60000 }\n";
    let model = model(&[&fake], &format!("{OIP}{more}"));
    let remotes = remotes();
    for age in 0..1000 {
        let answer = ask_within(&remotes, about(&model, age), Duration::from_millis(10)).await;
        if fault(&answer) == RemoteFault::BreakerOpen {
            return;
        }
        assert_eq!(fault(&answer), RemoteFault::Late);
    }
    panic!("it never opens");
}

#[tokio::test]
async fn a_server_is_blamed_for_a_whole_try_only() {
    let fake = Fake::start(Manner::Sleeps(Duration::from_secs(60))).await;
    let model = model(&[&fake], &format!("{OIP}deadline_ms: 1000\nattempt_ms: 1000\nretries: off\n"));
    let remote = Arc::clone(model.remote().unwrap());
    let door = Door::new(&fake.address, None, &remote, None).unwrap();
    let standing = Arc::new(Standing::new(Arc::new(Notify::new())));
    let label: Arc<str> = Arc::from("s");
    let mut server = Server {
        model: model.name.clone(),
        label,
        door: Arc::new(door),
        remote,
        standing: Arc::clone(&standing),
    };
    for (patience_ms, blamed) in [(10, 0), (600, 0), (2000, 1)] {
        let ask = Ask {
            asked: Arc::new(about(&model, 1)),
            progress: Arc::new(Progress::default()),
            trace: Arc::new(TraceContext::begin()),
        };
        let _ = tokio::time::timeout(Duration::from_millis(patience_ms), server.call(ask)).await;
        assert_eq!(standing.marks().failures, blamed, "{patience_ms}");
    }
}

#[tokio::test]
async fn a_model_whose_one_try_may_take_all_its_time_is_blamed_too() {
    let fake = Fake::start(Manner::Sleeps(Duration::from_secs(60))).await;
    let more = "deadline_ms: 50\nattempt_ms: 50\nretries: off\nbreaker: { calls: 5, pause_ms: 60000 }\n";
    let model = model(&[&fake], &format!("{OIP}{more}"));
    let remotes = remotes();
    for age in 0..5 {
        assert_eq!(fault(&ask(&remotes, about(&model, age)).await), RemoteFault::Late);
    }
    assert_eq!(fault(&ask(&remotes, about(&model, 5)).await), RemoteFault::BreakerOpen);
}
