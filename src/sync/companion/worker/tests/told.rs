//! What a companion is told, how often, and what of it waits.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_name_is_told_once_and_confirmed() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "Smith").await;
    assert_eq!(stage.state("123").await, ("pending", None));
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob Smith")]);
    assert_eq!(stage.state("123").await, ("confirmed", None));
    let revision = stage.revision().await;
    for _ in 0..3 {
        stage.run_after(PULL_EVERY).await;
    }
    assert_eq!(stage.told(), []);
    assert_eq!(stage.revision().await, revision, "looking changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_changes_while_nobody_listens_are_told_as_the_last_one() {
    let mut stage = Stage::new(60).await;
    for number in 0..10 {
        stage.save("123", "Bob", &format!("the {number}th")).await;
    }
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob the 9th")]);
    // What is not the saved name is none of the companion's business.
    let now = stage.now;
    stage.edit("123", seen("Bobby", now)).await;
    stage.run().await;
    assert_eq!(stage.told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_a_book_that_had_some_already_all_wait_once() {
    let mut stage = Stage::new(60).await;
    stage.session.edit_sync(SyncAct::Link(None)).await.unwrap();
    stage.save("123", "Bob", "").await;
    stage.save("999888@lid", "Lin", "").await;
    stage.edit("125", saving("", "")).await;
    assert_eq!(stage.state("123").await.0, "local", "nobody is linked");
    let target = Some(Print::of("another phone"));
    assert_eq!(stage.session.edit_sync(SyncAct::Link(target)).await.unwrap(), 2);
    assert_eq!(stage.state("123").await.0, "pending");
    assert_eq!(stage.state("999888@lid").await.0, "awaiting_phone");
    assert_eq!(stage.state("125").await.0, "local", "there is nothing to tell");
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob")]);
    assert_eq!(stage.session.edit_sync(SyncAct::Link(target)).await.unwrap(), 0, "the same one again");
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_under_a_lid_waits_for_the_phone() {
    let mut stage = Stage::new(60).await;
    stage.save("999888@lid", "Lin", "").await;
    stage.run().await;
    assert_eq!((stage.state("999888@lid").await.0, stage.told()), ("awaiting_phone", vec![]));
    stage.phone.with(|phone| {
        phone.mappings.push(Mapped { lid: digits("999888@lid"), phone: digits("15551234567") });
    });
    let pulled = stage.pull().await;
    assert_eq!((pulled.changed, pulled.error), (1, None));
    stage.run().await;
    assert_eq!(stage.told(), [one("15551234567", "Lin")]);
    assert_eq!(stage.state("999888@lid").await.0, "confirmed", "both ids are one contact");
    assert_eq!(stage.pull().await.changed, 0, "what was reported is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_contacts_that_turn_out_to_be_one_are_told_as_one() {
    let mut stage = Stage::new(60).await;
    stage.save("15551234567", "Lin", "").await;
    stage.run().await;
    stage.told();
    stage.save("999888@lid", "Lin the newer", "").await;
    let now = stage.now.plus(Duration::from_millis(5));
    let learned = Edit::learn(digits("999888@lid"), digits("15551234567"), now, Source::known("test"));
    stage.session.edit(learned).await.unwrap();
    stage.run().await;
    assert_eq!(stage.told(), [one("15551234567", "Lin the newer")]);
    assert_eq!(stage.session.syncs(None, String::new(), 10).await.unwrap().len(), 1, "nothing is left of the LID");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_was_never_told_of_is_not_taken_away_either() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.edit("123", Act::Delete).await;
    stage.save("124", "Ann", "").await;
    stage.save("124", "", "").await;
    stage.run().await;
    assert_eq!(stage.told(), []);
    assert_eq!(stage.state("124").await.0, "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_takes_the_name_along() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    let moved = Patch { phone: Some(digits("456")), ..Patch::default() };
    stage.edit("123", Act::Save(Box::new(moved))).await;
    stage.run().await;
    let mut told = stage.told();
    told.sort();
    assert_eq!(told, [(chat("123").to_string(), None), one("456", "Bob")]);
    stage.pull().await;
    assert_eq!(stage.session.head().await.unwrap().contacts, 1, "the old number does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_minute_no_more_is_told_than_allowed() {
    let mut stage = Stage::new(20).await;
    for id in 100..150 {
        stage.save(&id.to_string(), "Name", "").await;
    }
    let next = stage.run().await;
    assert_eq!(stage.told().len(), 20);
    assert_eq!(next, stage.now.plus(MINUTE));
    stage.run_after(MINUTE / 2).await;
    assert_eq!(stage.told().len(), 0);
    stage.run_after(MINUTE / 2).await;
    assert_eq!(stage.told().len(), 20);
    stage.run_after(MINUTE).await;
    assert_eq!(stage.told().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_older_wish_says_nothing_of_the_newer() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    let (errands, _) = stage.session.errands(stage.now, 10).await.unwrap();
    let marks = stage.worker.run(&errands[0], stage.now).await.unwrap_or_default();
    // While it was being told.
    stage.save("123", "Bobby", "").await;
    stage.worker.mark(marks).await.unwrap();
    assert_eq!(stage.state("123").await.0, "pending");
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob"), one("123", "Bobby")]);
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_holds_no_names_and_survives_a_restart() {
    let mut stage = Stage::new(60).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("unreachable")));
    stage.save("123", "Unmistakable", "Name").await;
    stage.run().await;
    stage.session.finish().await;
    let setting = Setting {
        runtime: Handle::current(),
        mailbox: 64,
        long_reads: 2,
        open_books: Arc::new(OpenBooks::default()),
        quota: Default::default(),
        journal: None,
    };
    let session = Session::new("demo".parse().unwrap(), stage.home.clone(), setting);
    let link = Some(Print::of("phone"));
    let mut worker = Worker::new(session.clone(), link, Box::new(stage.phone.clone()), 60, PULL_EVERY);
    worker.step(stage.now).await;
    stage.told();
    assert_eq!(session.sync_counts().await.unwrap()["confirmed"], 1);
    session.edit(Edit::new(chat("123"), Act::Delete, stage.now.plus(MINUTE), Source::known("test"))).await.unwrap();
    let syncs = session.syncs(None, String::new(), 10).await.unwrap();
    assert_eq!((syncs.len(), syncs[0].contact, syncs[0].wish), (1, None, None));
}
