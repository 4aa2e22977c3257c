//! A card with keepers that only note what is begun, and devices that the test says work or do not.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::error::ErrorKind;
use crate::io::sound::keeper::{News, What};

/// A device end without a device.
struct NoSound;

impl DeviceEnd for NoSound {
    const DIRECTION: DeviceDirection = DeviceDirection::Output;

    fn open(
        _: &cpal::Device,
        _: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Health>, u16), Error> {
        unreachable!("the test's keepers open nothing")
    }

    fn news(_: News<Self>) -> SoundNews {
        unreachable!("the test tells the news itself")
    }

    fn last_stamp(&self) -> Option<Stamp> {
        None
    }

    fn rate(&self) -> u32 {
        48_000
    }

    fn drift_ppm(&self) -> f64 {
        0.0
    }

    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

/// Keepers begun: which attempt, for which choice, and whether it was told to end.
type Begun = Arc<Mutex<Vec<(u64, DeviceChoice, Receiver<()>)>>>;

/// Every keeper begun hangs until the test removes it from the list.
struct Hanging(Begun);

impl Keepers for Hanging {
    fn begin(&mut self, attempt: u64, choice: &DeviceChoice) -> Option<Sender<()>> {
        let (order, orders) = channel();
        self.0.lock().unwrap().push((attempt, choice.clone(), orders));
        Some(order)
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Bench {
    card: Card<NoSound>,
    begun: Begun,
    now: Instant,
    health: Option<Arc<Health>>,
}

impl Bench {
    fn new(choice: &str) -> Bench {
        let begun = Begun::default();
        let card = Card::new(choice.into(), Box::new(Hanging(begun.clone())));
        let mut bench = Bench { card, begun, now: Instant::from_micros(1_000_000), health: None };
        bench.card.start(bench.now);
        bench
    }

    /// Lets time pass as the engine would: awake whenever the card wants, and every 100 ms. A live
    /// device calls back all the while if it `works`.
    fn pass(&mut self, time: Duration, works: bool) {
        let end = self.now + time;
        self.card.watch(self.now);
        while self.now < end {
            let wake = self.card.next_wake().min(self.now + Duration::from_millis(100)).min(end);
            assert!(wake > self.now, "the engine would spin");
            self.now = wake;
            if let Some(health) = self.health.as_ref().filter(|_| works) {
                health.called(self.now);
            }
            self.card.watch(self.now);
        }
    }

    /// The numbers of all attempts begun so far.
    fn attempts(&self) -> Vec<u64> {
        self.begun.lock().unwrap().iter().map(|(number, ..)| *number).collect()
    }

    fn tell(&mut self, what: What<NoSound>) {
        let attempt = *self.attempts().last().unwrap();
        self.card.handle_news(self.now, News { attempt, what });
        self.card.watch(self.now);
    }

    /// The last attempt fails, and its keeper ends.
    fn fail(&mut self) {
        self.tell(What::Failed(Error::new(ErrorKind::System, "busy")));
        self.begun.lock().unwrap().pop();
    }

    /// The last attempt opens this device, and its first callback comes.
    fn open(&mut self, id: &str, is_wanted: bool) {
        let (requests, _) = Requests::new().unwrap();
        let health = Health::new(requests);
        health.called(self.now);
        let (direction, name) = (DeviceDirection::Output, id.to_owned());
        let about = AudioDevice { id: id.into(), name, direction, is_default: false };
        let opened = Opened { end: NoSound, health: health.clone(), about, channels: 1, is_wanted };
        self.health = Some(health);
        self.tell(What::Opened(Box::new(opened)));
    }

    /// The sound system reports an error of the last device opened.
    fn fault(&self) {
        self.health.as_ref().unwrap().error(cpal::ErrorKind::BackendError, self.now);
    }

    /// What the user was told since the last question.
    fn told(&mut self) -> Vec<(Option<String>, DeviceChange)> {
        let all = std::iter::from_fn(|| self.card.poll());
        all.map(|(device, change)| (device.map(|device| device.id), change)).collect()
    }
}

fn said(id: &str, change: DeviceChange) -> (Option<String>, DeviceChange) {
    (Some(id.to_owned()), change)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_device_that_works_is_opened_once_and_told_once() {
    let mut bench = Bench::new("default");
    assert_eq!(bench.attempts(), [1]);
    bench.open("a", true);
    bench.pass(60 * SECOND, true);
    assert_eq!(bench.attempts(), [1]);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);
}

#[test]
fn a_system_that_hangs_gets_a_bounded_number_of_threads() {
    let mut bench = Bench::new("default");
    bench.pass(20 * SECOND, false);
    assert_eq!(bench.attempts().len(), MOST_KEEPERS);
    bench.pass(4_000 * SECOND, false);
    assert_eq!(bench.attempts().len(), MOST_HANGING);
    assert_eq!(bench.told(), [(None, DeviceChange::Missing)]);
    // It comes back to life.
    bench.begun.lock().unwrap().clear();
    bench.pass(Duration::from_millis(1), false);
    bench.open("a", true);
    assert_eq!(bench.told(), [said("a", DeviceChange::Restored)]);
}

#[test]
fn failures_are_tried_again_soon_and_later_less_often() {
    let mut bench = Bench::new("default");
    let mut failures = 0;
    let mut failures_within = |bench: &mut Bench, time: Duration| {
        let end = bench.now + time;
        while bench.now < end {
            if !bench.attempts().is_empty() {
                bench.fail();
                failures += 1;
            }
            bench.pass(Duration::from_millis(50), false);
        }
        std::mem::take(&mut failures)
    };
    assert!((8..=11).contains(&failures_within(&mut bench, 2 * SECOND)));
    assert!((28..=34).contains(&failures_within(&mut bench, 10 * SECOND)));
}

#[test]
fn a_device_that_stops_calling_is_lost_and_replaced() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    bench.pass(5 * SECOND, true);
    bench.pass(DEAD + Duration::from_millis(100), false);
    assert_eq!(bench.attempts(), [1, 2]);
    bench.open("a", true);
    let expected = [
        said("a", DeviceChange::Opened),
        (None, DeviceChange::Lost),
        said("a", DeviceChange::Restored),
    ];
    assert_eq!(bench.told(), expected);
}

#[test]
fn an_engine_that_was_away_takes_nothing_for_dead() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    bench.pass(SECOND, true);
    // The whole program stood still for ten seconds.
    bench.now += 10 * SECOND;
    bench.card.watch(bench.now);
    bench.pass(Duration::from_millis(100), false);
    bench.pass(SECOND, true);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);
}

#[test]
fn errors_end_a_stream_soon_and_a_short_life_is_not_repeated_in_haste() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    for _ in 0..=10 {
        bench.pass(Duration::from_millis(10), false);
        bench.fault();
    }
    bench.card.watch(bench.now);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened), (None, DeviceChange::Lost)]);
    assert_eq!(bench.attempts(), [1], "not at once");
    bench.pass(RETRY_LATER, false);
    assert_eq!(bench.attempts(), [1, 2]);
}

#[test]
fn a_short_storm_of_errors_ends_no_stream() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    for _ in 0..9 {
        bench.pass(Duration::from_millis(10), false);
        bench.fault();
    }
    bench.pass(SECOND, true);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);
}

#[test]
fn one_error_between_callbacks_is_none() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    for _ in 0..1_000 {
        bench.fault();
        bench.pass(Duration::from_millis(10), true);
    }
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);
}

#[test]
fn the_old_device_plays_on_until_the_new_one_does() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    bench.tell(What::Better(DeviceChange::DefaultMoved));
    bench.pass(SECOND, true);
    assert!(bench.card.live().is_some());
    bench.open("b", true);
    let expected = [said("a", DeviceChange::Opened), said("b", DeviceChange::DefaultMoved)];
    assert_eq!(bench.told(), expected);
}

#[test]
fn a_replacement_that_fails_at_first_is_tried_again() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    bench.tell(What::Better(DeviceChange::DefaultMoved));
    bench.pass(Duration::from_millis(10), true);
    bench.fail();
    bench.pass(RETRY_REPLACING, true);
    bench.open("b", true);
    let expected = [said("a", DeviceChange::Opened), said("b", DeviceChange::DefaultMoved)];
    assert_eq!(bench.told(), expected);
}

#[test]
fn a_better_device_that_turns_out_the_same_is_looked_for_less_and_less() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    let mut looked = Vec::new();
    for half_second in 0..240 {
        bench.tell(What::Better(DeviceChange::DefaultMoved));
        bench.pass(SECOND / 2, true);
        if bench.attempts().len() == 2 && bench.card.replacing.is_some() {
            looked.push(half_second);
            bench.open("a", true);
            // The keeper of the stream before ends.
            bench.begun.lock().unwrap().remove(0);
        }
    }
    let seconds: Vec<_> = looked.array_windows().map(|[a, b]| (b - a) / 2).collect();
    // Told every half second only.
    assert_eq!(seconds[..6], [2, 2, 4, 8, 16, 30]);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);
}

#[test]
fn every_choice_of_the_user_is_answered() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    assert_eq!(bench.told(), [said("a", DeviceChange::Opened)]);

    // The same device again.
    bench.card.choose(bench.now, "a".into());
    bench.pass(Duration::from_millis(1), true);
    bench.open("a", true);
    assert_eq!(bench.told(), [said("a", DeviceChange::Chosen)]);

    // One that is not there.
    bench.card.choose(bench.now, "headset".into());
    bench.pass(Duration::from_millis(1), true);
    bench.open("a", false);
    assert_eq!(bench.told(), [said("a", DeviceChange::FellBack)]);

    // None, and one again.
    bench.card.choose(bench.now, DeviceChoice::Off);
    assert!(bench.card.live().is_none());
    assert_eq!(bench.told(), [(None, DeviceChange::Chosen)]);
    bench.pass(5 * SECOND, true);
    bench.card.choose(bench.now, DeviceChoice::Default);
    bench.pass(Duration::from_millis(1), true);
    bench.open("b", true);
    assert_eq!(bench.told(), [said("b", DeviceChange::Chosen)]);

    // One while there is none at all.
    bench.card.choose(bench.now, DeviceChoice::Off);
    bench.card.choose(bench.now, "a".into());
    bench.pass(2 * SECOND, true);
    let expected = [(None, DeviceChange::Chosen), (None, DeviceChange::Missing)];
    assert_eq!(bench.told(), expected);
}

#[test]
fn a_choice_while_another_device_is_being_opened_counts() {
    let mut bench = Bench::new("default");
    bench.card.choose(bench.now, "headset".into());
    bench.pass(Duration::from_millis(1), true);
    let choices: Vec<_> = bench.begun.lock().unwrap().iter().map(|(_, c, _)| c.clone()).collect();
    assert_eq!(choices, [DeviceChoice::Default, "headset".into()]);
    // The first attempt was told to end; what it opens late is not used.
    assert!(bench.begun.lock().unwrap()[0].2.try_recv().is_err());
    bench.open("headset", true);
    assert_eq!(bench.told(), [said("headset", DeviceChange::Chosen)]);
}

#[test]
fn each_call_begins_anew() {
    let mut bench = Bench::new("default");
    bench.open("a", true);
    bench.card.stop();
    assert_eq!(bench.card.next_wake(), Instant::FAR_FUTURE);
    bench.now += 60 * SECOND;
    bench.card.start(bench.now);
    bench.open("b", true);
    let expected = [said("a", DeviceChange::Opened), said("b", DeviceChange::Opened)];
    assert_eq!(bench.told(), expected);

    bench.card.stop();
    bench.card.start(bench.now);
    bench.pass(5 * SECOND, false);
    assert_eq!(bench.told(), [(None, DeviceChange::Missing)]);
}
