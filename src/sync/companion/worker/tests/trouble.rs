//! A companion that answers errors, asks to wait, refuses, or is not there: nothing is lost and nothing spins.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_removes_nothing_is_said_to() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.edit("123", Act::Delete).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.run().await;
    assert_eq!(stage.state("123").await, ("failed", Some("not_supported_by_companion".to_owned())));
    for _ in 0..3 {
        stage.run_after(PULL_EVERY).await;
    }
    assert_eq!(stage.told().len(), 1, "it was tried once");
    assert_eq!(stage.session.get(chat("123")).await.unwrap(), None, "the name there does not bring it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_name_waits_for_a_change_or_for_somebody_to_say_so() {
    let mut stage = Stage::new(60).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.save("123", "Bob", "").await;
    stage.save("124", "Ann", "").await;
    stage.run().await;
    assert_eq!(stage.state("123").await, ("failed", Some("rejected_400".to_owned())));
    assert_eq!(stage.state("124").await.0, "confirmed", "others are not held up");
    assert_eq!(stage.health().state.word(), "ok");
    stage.told();
    stage.run_after(PULL_EVERY).await;
    assert_eq!(stage.told(), []);
    assert_eq!(stage.session.edit_sync(SyncAct::Retry).await.unwrap(), 1);
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.run().await;
    assert_eq!(stage.state("123").await.0, "failed");
    stage.save("123", "Bobby", "").await;
    stage.run().await;
    assert_eq!(stage.state("123").await, ("confirmed", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_one_contact_is_tried_again_later_and_later() {
    let mut stage = Stage::new(6000).await;
    stage.save("123", "Bob", "").await;
    let mut waits = Vec::new();
    for attempt in 1..=8 {
        // In between the companion does well: it is this contact.
        stage.phone.with(|phone| phone.troubles.push_back(Trouble::unclear("server_error")));
        stage.run().await;
        let sync = stage.sync("123").await.unwrap();
        assert_eq!(
            (sync.attempts, sync.state, sync.reason.as_deref()),
            (attempt, SyncState::Pending, Some("server_error"))
        );
        waits.push((sync.next_at.millis() - stage.now.millis()) / 1000);
        stage.worker.take_heart();
        stage.now = sync.next_at;
    }
    assert!(waits.windows(2).all(|two| two[0] < two[1]), "{waits:?}");
    assert!((8..=12).contains(&waits[0]) && waits[7] > 1000, "{waits:?}");
    stage.run().await;
    assert_eq!(stage.state("123").await, ("confirmed", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_only_answers_errors_is_left_alone_and_nothing_is_lost() {
    let mut stage = Stage::new(6000).await;
    for id in 100..150 {
        stage.save(&id.to_string(), "Name", &id.to_string()).await;
    }
    stage.phone.with(|phone| phone.troubles.extend([Trouble::unclear("server_error"); 30]));
    let mut steps = 0;
    let begin = stage.now;
    while stage.phone.with(|phone| !phone.troubles.is_empty()) {
        let next = stage.run().await;
        assert!(next > stage.now);
        stage.now = next;
        steps += 1;
        assert!(steps < 200, "it spins");
    }
    assert_eq!(stage.health().last_error, Some("server_error"));
    let took = Duration::from_millis(u64::try_from(stage.now.millis() - begin.millis()).unwrap());
    assert!(
        took > Duration::from_secs(1000),
        "it is asked again at ever longer intervals, not thirty times in {took:?}"
    );
    stage.run_after(Duration::from_secs(2 * 3600)).await;
    let confirmed = stage.session.sync_counts().await.unwrap()["confirmed"];
    assert_eq!(confirmed, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_is_there_no_contact_is_blamed() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| {
        phone.list_trouble = Some(Trouble::of_companion("unreachable"));
        phone.troubles.extend([Trouble::of_companion("unreachable"); 3]);
    });
    for _ in 0..3 {
        let resumes_at = stage.run().await;
        assert_eq!(stage.health().state.word(), "unreachable");
        assert_eq!(stage.health().resumes_at, Some(resumes_at));
        let sync = stage.sync("123").await.unwrap();
        assert_eq!((sync.attempts, sync.state), (0, SyncState::Pending));
        // Woken by every change of the book, it does nothing before its time.
        let asked = stage.phone.with(|phone| phone.told.len());
        stage.save("124", "Ann", &resumes_at.millis().to_string()).await;
        stage.worker.step(stage.now).await;
        assert_eq!(stage.phone.with(|phone| phone.told.len()), asked);
        stage.now = resumes_at;
    }
    stage.phone.with(|phone| {
        phone.list_trouble = None;
        phone.told.clear();
    });
    stage.run().await;
    assert_eq!(stage.told().len(), 2, "nothing is lost");
    assert_eq!(stage.health().state.word(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_may_say_how_long_to_wait() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    let hour = Duration::from_secs(3600);
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("limited").with_wait(Some(hour))));
    let next = stage.run().await;
    assert!(next >= stage.now.plus(hour));
    assert_eq!(stage.health().state.word(), "limited");
    stage.run_after(hour).await;
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_fails_no_contact() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("unauthorized")));
    stage.run().await;
    assert_eq!((stage.state("123").await.0, stage.health().state.word()), ("pending", "refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_though_the_list_cannot_be_read() {
    let mut stage = Stage::new(60).await;
    for word in ["garbage", "too_large", "server_error"] {
        stage.phone.with(|phone| phone.list_trouble = Some(Trouble::unclear(word)));
        let lists = stage.phone.with(|phone| phone.lists);
        assert_eq!(stage.pull().await, Pulled { seen: 0, changed: 0, error: Some(word) });
        assert_eq!((stage.health().state.word(), stage.health().last_error), ("faulty", Some(word)));
        stage.save("123", "Bob", word).await;
        stage.run().await;
        assert_eq!(stage.state("123").await.0, "confirmed");
        assert_eq!(stage.phone.with(|phone| phone.lists), lists + 1, "the list is not asked for again at once");
    }
}
