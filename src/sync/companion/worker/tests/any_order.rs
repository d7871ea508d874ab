//! Whatever is saved, cleared and deleted here, renamed there, refused, looked at and told, in any order: in the end both
//! sides have the same names, and then nothing moves any more.

use super::*;

const IDS: [&str; 4] = ["123", "124", "125", "126"];
const NAMES: [&str; 3] = ["Ann", "Bob", "Cid"];

/// A small generator (xorshift): the same story for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % bound
    }
}

impl Stage {
    async fn happen(&mut self, dice: &mut Dice) {
        let (id, name) = (IDS[dice.below(4)], NAMES[dice.below(3)]);
        match dice.below(10) {
            0..3 => self.save(id, name, "").await,
            3 => self.save(id, "", "").await,
            4 => {
                let delete = Edit::new(chat(id), Act::Delete, self.now, Source::known("test"));
                // Nobody may be there.
                let _ = self.session.edit(delete).await;
            }
            5..7 => self.rename_there(id, name),
            7 => self.phone.with(|phone| drop(phone.names.remove(&chat(id)))),
            8 => {
                let words = [Trouble::unclear("server_error"), Trouble::of_companion("timeout")];
                let trouble = words[dice.below(2)];
                self.phone.with(|phone| phone.troubles.push_back(trouble));
            }
            _ => drop(self.pull().await),
        }
        if dice.below(3) == 0 {
            self.run().await;
        }
    }

    async fn come_to_rest(&mut self) {
        self.phone.with(|phone| phone.troubles.clear());
        for _ in 0..3 {
            self.run_after(Duration::from_secs(2 * 3600)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_end_the_same() {
    for seed in 1..=60 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut stage = Stage::new(6000).await;
        stage.phone.with(|phone| {
            // So that it speaks of everybody, also of those who have no name.
            phone.pushnames.extend(IDS.map(|id| (chat(id), part("Somebody").unwrap())));
        });
        for _ in 0..60 {
            stage.happen(&mut dice).await;
        }
        stage.come_to_rest().await;
        for id in IDS {
            let there = stage.phone.with(|phone| phone.names.get(&chat(id)).and_then(Saved::full));
            assert_eq!(stage.name(id).await, there, "{id} of story {seed}");
        }
        let counts = stage.session.sync_counts().await.unwrap();
        assert_eq!((counts["pending"], counts["failed"]), (0, 0), "story {seed}: {counts:?}");
        let revision = stage.revision().await;
        stage.told();
        stage.come_to_rest().await;
        assert_eq!((stage.revision().await, stage.told()), (revision, vec![]), "story {seed}");
    }
}
