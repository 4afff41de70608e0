//! Revocation lists and beacons, as a broker retains them.

use gateward_core::trust::{Beacon, Revoked};

use super::*;
use crate::accounts::{NewToken, TokenRef};
use crate::keys::{Fate, NewKey, Rotation, rotate};
use crate::policy::TokenStatus;

/// A list as it was published.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct List {
    pub(super) number: Version,
    pub(super) base: Version,
    pub(super) tokens: Vec<u64>,
    pub(super) principals: usize,
    pub(super) bytes: usize,
}

impl World {
    pub(super) async fn with_token() -> (Self, u64) {
        let world = Self::new().await;
        let new = NewToken {
            kind: Kind::User,
            owner: "ana.ruiz".to_owned(),
            name: "plc".to_owned(),
            end: None,
        };
        let id = world.accounts().new_token(&new).unwrap().lookup.id;
        world.publish().await.unwrap();

        (world, id)
    }

    pub(super) fn set_token(&self, status: TokenStatus) {
        let token = TokenRef::Named(Kind::User, "ana.ruiz".to_owned(), "plc".to_owned());
        self.accounts().set_token_status(&token, status).unwrap();
    }

    pub(super) fn keys(&self) -> KeySet {
        Chain::load(&self.policy(), self.account).unwrap().newest().clone()
    }

    pub(super) fn list(&self) -> Option<List> {
        let bytes = self.retained(GroupTopic::Revoked)?;
        let audience = Audience::of(self.account, "plant-1");
        let list = Revoked::verify(&bytes, &self.keys(), audience).unwrap();

        Some(List {
            number: list.number(),
            base: list.base(),
            tokens: list.tokens().collect(),
            principals: list.principals().len(),
            bytes: bytes.len(),
        })
    }

    pub(super) fn beacon(&self) -> Beacon {
        let bytes = self.retained(GroupTopic::Time).unwrap();

        Beacon::verify(&bytes, &self.keys(), Audience::of(self.account, "plant-1")).unwrap()
    }
}

pub(super) fn version(epoch: u32, number: u64) -> Version {
    Version { epoch, number }
}

#[tokio::test]
async fn a_token_that_is_disabled_is_on_a_list_and_one_that_is_enabled_again_is_not() {
    let (world, id) = World::with_token().await;
    assert_eq!(world.list(), None);
    assert_eq!(world.beacon().revoked().number, 0);

    world.set_token(TokenStatus::Disabled);
    let done = world.publish().await.unwrap();
    let list = world.list().unwrap();
    assert_eq!((list.number, list.base), (version(1, 1), version(1, 1)));
    assert_eq!((&list.tokens[..], list.principals), (&[id][..], 0));
    assert!(list.bytes <= 250, "{} bytes", list.bytes);
    assert_eq!(world.arrives().unwrap().manifest().revoked_counter(), 1);
    assert_eq!((world.beacon().version(), world.beacon().revoked()), (done.version, version(1, 1)));

    world.add_user("dee");
    world.publish().await.unwrap();
    assert_eq!(world.list().unwrap().number, version(1, 1), "nothing else was revoked");

    world.set_token(TokenStatus::Enabled);
    world.publish().await.unwrap();
    let list = world.list().unwrap();
    assert_eq!((list.number, list.base), (version(1, 2), version(1, 3)), "version 3 denies it");
    assert_eq!((list.tokens.len(), list.principals), (0, 0));
}

#[tokio::test]
async fn b3_who_is_disabled_or_deleted_is_on_a_list_with_all_tokens_at_once() {
    for status in [PrincipalStatus::Disabled, PrincipalStatus::Deleted] {
        let (world, _) = World::with_token().await;
        world.accounts().set_status(Kind::User, "ana.ruiz", status).unwrap();
        world.publish().await.unwrap();

        let list = world.list().unwrap();
        assert_eq!((list.tokens.len(), list.principals), (0, 1), "{status:?}");
    }
}

#[tokio::test]
async fn after_a_rotation_the_list_is_signed_again_for_the_new_epoch() {
    let (world, id) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    let new = NewKey {
        role: Role::Snapshot,
        groups: Vec::new(),
        old: Some(Fate::Compromised),
        replaces: None,
        root_out: None,
    };
    let rotation = Rotation {
        dir: world.policy(),
        new: Some(new),
        leaving: Vec::new(),
        root_keys: Vec::new(),
        expires: None,
        now: world.now,
    };
    rotate(&rotation).unwrap();

    world.publish().await.unwrap();

    let list = world.list().unwrap();
    assert_eq!(list.number.epoch, 2);
    assert_eq!(list.base, version(2, 0), "every snapshot of this epoch denies what it leaves out");
    let manifest = world.arrives().unwrap().manifest().clone();
    assert_eq!(manifest.revoked(), list.number);
    assert_eq!(list.tokens, [id]);
}

#[tokio::test]
async fn numbers_go_on_from_the_broker_where_the_state_was_lost() {
    let (world, _) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    let beacon = world.beacon().number();
    fs::remove_dir_all(world.policy().join("state/published")).unwrap();
    world.set_token(TokenStatus::Enabled);

    let adopting = PublishOptions { adopt: true, ..world.options() };
    publish(&adopting).await.unwrap();

    assert_eq!(world.list().unwrap().number, version(1, 2));
    assert!(world.beacon().number() > beacon);
}

#[tokio::test]
async fn wherever_the_broker_dies_a_revoked_token_stays_revoked_and_no_number_is_used_twice() {
    for packets in 4..40 {
        let (world, id) = World::with_token().await;
        world.set_token(TokenStatus::Disabled);
        world.broker.kill_after(packets);
        let killed = world.publish().await;
        world.broker.mend();
        let before = world.list();

        world.publish().await.unwrap();

        let list = world.list().unwrap();
        assert_eq!(list.tokens, [id], "after {packets} packets");
        assert!(before.is_none_or(|before| before == list), "after {packets} packets");
        assert_eq!(world.arrives().unwrap().manifest().revoked(), list.number);
        if killed.is_ok() {
            return;
        }
    }
    panic!("a publish takes more packets than that");
}

#[tokio::test]
async fn a_damaged_note_of_what_was_revoked_does_not_stop_the_next_revocation() {
    let (world, id) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    fs::write(world.policy().join("state/revocations"), "rubbish").unwrap();

    world.publish().await.unwrap();

    assert_eq!(world.list().unwrap().tokens, [id]);
    assert!(world.policy().join("state/revocations.damaged").exists());
}
