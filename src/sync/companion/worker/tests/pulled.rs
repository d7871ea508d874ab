//! What comes of a look at the companion's contacts: taken, kept, confirmed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_under_a_lid_there_whose_phone_is_known_only_here_is_taken_and_told_by_the_phone() {
    let mut stage = Stage::new(60).await;
    let now = stage.now;
    stage.edit("15551234567", seen("Linny", now)).await;
    let learned = Edit::learn(digits("999888@lid"), digits("15551234567"), now, Source::known("test"));
    stage.session.edit(learned).await.unwrap();
    stage.rename_there("999888@lid", "Lin");
    for _ in 0..3 {
        stage.pull().await;
        assert_eq!(stage.name("15551234567").await.as_deref(), Some("Lin"));
        stage.run().await;
    }
    assert_eq!(stage.told(), [one("15551234567", "Lin")]);
    assert_eq!(stage.state("15551234567").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_changed_there_come_here_and_are_not_told_back() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.rename_there("123", "Bobby");
    stage.rename_there("124", "New there");
    stage.phone.with(|phone| phone.pushnames.insert(chat("125"), part("Pushy").unwrap()));
    let pulled = stage.pull().await;
    assert_eq!((pulled.seen, pulled.changed, pulled.error), (3, 3, None));
    assert_eq!(stage.name("123").await.as_deref(), Some("Bobby"));
    assert_eq!(stage.name("124").await.as_deref(), Some("New there"));
    let pushy = stage.session.get(chat("125")).await.unwrap().unwrap();
    assert_eq!(pushy.display(), "Pushy");
    for id in ["123", "124"] {
        assert_eq!(stage.state(id).await.0, "confirmed");
    }
    let revision = stage.revision().await;
    for _ in 0..3 {
        assert_eq!(stage.pull().await.changed, 0);
        stage.run_after(MINUTE).await;
    }
    assert_eq!((stage.told(), stage.revision().await), (vec![], revision), "no loop");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_on_both_sides_ours_stays() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.rename_there("123", "Theirs");
    stage.save("123", "Ours", "").await;
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Ours"));
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Ours")]);
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_same_on_both_sides_at_the_first_meeting_need_not_be_told() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.save("124", "Ours", "").await;
    stage.rename_there("123", "Bob");
    stage.rename_there("124", "Theirs");
    stage.pull().await;
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.run().await;
    assert_eq!(stage.told(), [one("124", "Ours")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_is_slow_to_show_is_not_taken_for_one_that_changed_it_back() {
    let mut stage = Stage::new(60).await;
    stage.rename_there("123", "Old");
    stage.pull().await;
    stage.save("123", "New", "").await;
    stage.phone.with(|phone| phone.is_slow_to_show = true);
    stage.run().await;
    assert_eq!(stage.state("123").await.0, "acked");
    stage.pull().await;
    assert_eq!((stage.name("123").await.as_deref(), stage.state("123").await.0), (Some("New"), "acked"));
    stage.rename_there("123", "New");
    stage.pull().await;
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.rename_there("123", "Newer there");
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Newer there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_mentioned_is_not_gone() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.phone.with(|phone| {
        phone.pushnames.insert(chat("123"), part("Bobby").unwrap());
        phone.names.clear();
        phone.is_silent = true;
    });
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Bob"), "it was merely not mentioned");
    stage.phone.with(|phone| phone.is_silent = false);
    stage.pull().await;
    assert_eq!(stage.name("123").await, None, "it was taken away there");
    stage.told();
    stage.run().await;
    assert_eq!(stage.told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_deleted_here_loses_the_name_there_and_does_not_come_back() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| phone.pushnames.insert(chat("123"), part("Bobby").unwrap()));
    stage.run().await;
    stage.told();
    stage.edit("123", Act::Delete).await;
    assert_eq!(stage.state("123").await.0, "pending");
    stage.pull().await;
    stage.run().await;
    assert_eq!(stage.told(), [(chat("123").to_string(), None)]);
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.pull().await;
    assert_eq!(stage.session.get(chat("123")).await.unwrap(), None, "its pushname does not bring it back");
    stage.rename_there("123", "Bob again");
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Bob again"), "somebody saved it anew there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_page_by_page_and_an_endless_one_to_an_end() {
    struct Endless;
    impl Companion for Endless {
        fn save<'a>(&'a self, _: ChatId, _: &'a Saved) -> Answer<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn remove(&self, _: ChatId) -> Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn lookup(&self, _: ChatId) -> Answer<'_, Met> {
            Box::pin(async { Err(Trouble::unclear("garbage")) })
        }
        fn contacts(&self, window: Window) -> Answer<'_, Page<Met>> {
            let first = Some("the same".to_owned());
            Box::pin(async move { Ok(Page { rows: Vec::new(), listed: window.limit, first }) })
        }
        fn mappings(&self, _: Window) -> Answer<'_, Page<Mapped>> {
            Box::pin(async { Err(Trouble::of_companion("not_found")) })
        }
    }
    let mut stage = Stage::new(60).await;
    for id in 1000..2234 {
        stage.rename_there(&id.to_string(), "Name");
    }
    let pulled = stage.pull().await;
    assert_eq!((pulled.seen, pulled.changed, pulled.error), (1234, 1234, None));
    assert_eq!(stage.pull().await.changed, 0);
    let mut worker = Worker::new(stage.session.clone(), None, Box::new(Endless), 60, PULL_EVERY);
    assert_eq!(worker.pull(stage.now).await.error, Some("endless_list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_saved_while_it_is_pulled_is_not_overwritten() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.rename_there("123", "Theirs");
    let met = stage.phone.met(chat("123"));
    let known = stage.session.known(vec![chat("123")]).await.unwrap().remove(0);
    let ruling = rule(&met, &known, stage.now);
    // Between the look and the edit.
    stage.save("123", "Ours", "").await;
    assert_eq!(stage.worker.carry_out(ruling.edits).await.unwrap(), 0);
    assert_eq!(stage.name("123").await.as_deref(), Some("Ours"));
    assert_eq!(stage.state("123").await.0, "pending");
}
