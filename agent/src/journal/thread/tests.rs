//! Those who ask together share a write, and nobody waits for one who asks alone.

use super::*;

type Queue = (mpsc::Sender<Command>, mpsc::Receiver<Command>);

fn asks(to: &mpsc::Sender<Command>, count: usize) {
    for _ in 0..count {
        let draft = Draft::event(Event::Start, Stamp::default(), "");
        let (reply, _nobody_listens) = oneshot::channel();
        assert!(to.try_send(Command::Append(Box::new(draft), Some(reply))).is_ok());
    }
}

/// Lets `count` ask and gathers; at each pause so many more ask. Returns how many commands share the
/// write, and how many pauses there were of the three that there is time for.
fn gathers(crowd: &mut Crowd, (to, from): &mut Queue, count: usize, come: usize) -> (usize, usize) {
    asks(to, count);
    let (mut commands, mut pauses) = (Vec::new(), 0);
    crowd.gather(from, &mut commands, || {
        asks(to, come);
        pauses += 1;
        pauses < 3
    });

    (commands.len(), pauses)
}

#[test]
fn nobody_waits_for_one_who_asks_alone_whatever_comes_with_it_that_nobody_waits_for() {
    let (mut crowd, mut queue) = (Crowd::default(), mpsc::channel(BATCH * 2));
    for commands in [1, 3, 3] {
        assert_eq!(gathers(&mut crowd, &mut queue, 1, 0), (commands, 0));
        let note = Draft::event(Event::Start, Stamp::default(), "");
        assert!(queue.0.try_send(Command::Append(Box::new(note), None)).is_ok());
        assert!(queue.0.try_send(Command::Release(1, Stamp::default())).is_ok());
    }
    assert_eq!(crowd.0, [1, 1]);
}

#[test]
fn those_who_asked_together_share_the_next_write_though_some_of_them_come_later() {
    let (mut crowd, mut queue) = (Crowd::default(), mpsc::channel(BATCH * 2));
    for _ in 0..2 {
        assert_eq!(gathers(&mut crowd, &mut queue, 3, 0), (3, 0));
    }

    assert_eq!(gathers(&mut crowd, &mut queue, 1, 1), (3, 2));
    assert!(queue.0.try_send(Command::Release(1, Stamp::default())).is_ok());
    assert_eq!(gathers(&mut crowd, &mut queue, 0, 0), (1, 0), "nobody asks");
    assert_eq!(gathers(&mut crowd, &mut queue, 1, 2), (3, 1));
}

#[test]
fn who_stays_away_is_waited_for_at_two_writes_and_no_longer_than_there_is_time() {
    let (mut crowd, mut queue) = (Crowd::default(), mpsc::channel(BATCH * 2));
    for _ in 0..2 {
        assert_eq!(gathers(&mut crowd, &mut queue, 3, 0), (3, 0));
    }

    for pauses in [3, 3, 0, 0] {
        assert_eq!(gathers(&mut crowd, &mut queue, 1, 0), (1, pauses));
    }
}

#[test]
fn no_more_share_a_write_than_it_takes() {
    let (mut crowd, mut queue) = (Crowd([1, BATCH * 2]), mpsc::channel(BATCH * 2));

    assert_eq!(gathers(&mut crowd, &mut queue, BATCH + 10, 0), (BATCH, 0));
    assert_eq!(gathers(&mut crowd, &mut queue, 0, 100), (310, 3));
}
