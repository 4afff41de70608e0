//! What is announced and not fetched piece by piece: key sets come one by one, and what may not exist
//! is asked for now and then.

use super::*;

#[test]
fn key_sets_are_walked_one_by_one_and_then_the_manifest_is_asked_for_again() {
    let mut machine = connected();
    while machine.poll(Millis(0)).is_some() {}

    machine.keys_behind(3, 5, Millis(1));
    assert_eq!(subscribed(&mut machine), [GroupTopic::KeysOf(4)]);
    machine.keys_held(4, Millis(2));
    assert!(subscribed(&mut machine).contains(&GroupTopic::KeysOf(5)));
    machine.keys_held(5, Millis(3));
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS[1..]);
    assert_eq!(machine.poll(Millis(3)), None);
}

#[test]
fn a_list_or_a_beacon_that_may_not_exist_is_looked_for_now_and_then_and_a_missing_list_until_it_is_here()
 {
    let mut machine = Machine::new();
    machine.link_up(Millis(0));
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS);
    let minute = 60_000;
    let answer = |machine: &mut Machine, minutes| {
        for topic in [GroupTopic::Keys, GroupTopic::Manifest] {
            machine.heard(topic, Millis(minutes * minute));
        }
    };
    answer(&mut machine, 0);
    let asks = |machine: &mut Machine, minutes| match machine.poll(Millis(minutes * minute)) {
        Some(Output::Subscribe(topics)) => topics.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(machine.poll(Millis(14 * minute)), None);
    assert_eq!(asks(&mut machine, 16), ANNOUNCEMENTS);
    answer(&mut machine, 16);

    machine.list_missed(Millis(17 * minute));
    assert_eq!(asks(&mut machine, 17), [GroupTopic::Revoked]);
    assert_eq!(asks(&mut machine, 18), [GroupTopic::Revoked], "nobody answered");
    machine.list_missed(Millis(18 * minute));
    machine.heard(GroupTopic::Revoked, Millis(18 * minute));
    assert_eq!(machine.poll(Millis(19 * minute)), None);
}
