//! Several brokers.

use super::*;

fn both(first: u16, second: u16) -> LinkConfig {
    let brokers = format!("mqtt://127.0.0.1:{first}, mqtt://127.0.0.1:{second}");
    LinkConfig { brokers: brokers.parse().unwrap(), ..plain(first) }
}

#[tokio::test]
async fn a_broker_that_dies_is_replaced_by_the_next_of_the_list_and_back() {
    let (mut first, mut second) = (Mosquitto::plain("").await, Mosquitto::plain("").await);
    let mut link = Running::up(both(first.port(), second.port())).await;
    first.kill();
    assert_eq!(link.next().await, Event::Down);
    assert!(matches!(link.next().await, Event::Up { .. }));
    assert!(second.log().contains("as edge-7a"), "{}", second.log());

    first.restart().await;
    second.kill();
    assert_eq!(link.next().await, Event::Down);
    assert!(matches!(link.next().await, Event::Up { .. }));
    assert!(first.log().contains("as edge-7a"), "{}", first.log());
}

#[tokio::test]
async fn a_broker_that_refuses_does_not_keep_the_next_one_from_being_tried() {
    let (first, second) = (Peer::bind().await, Peer::bind().await);
    let mut link = Running::start(both(first.port(), second.port()));
    let (mut refusing, _) = first.accept().await;
    refusing.send(&[0x20, 3, 0, 0x87, 0]).await;
    let _caller = second.welcome().await;
    assert!(matches!(link.next().await, Event::Up { .. }));
}
