//! What proves that a store holds what its position says.

use super::shared::proof::leads_to;
use super::*;

#[test]
fn i9_only_the_batch_itself_proves_a_position_and_no_checkpoint_without_its_records() {
    let mut gateway = Gateway::new();
    let earlier = gateway.write(3);
    let (mut before, head_before) = (gateway.clone(), gateway.head);
    let whole = gateway.write(4);
    let (enrolled, head) = (gateway.enrolled.clone(), gateway.head);
    let proves = |message: &[u8], through, head| {
        leads_to(message, through, head, &enrolled, gateway.account)
    };
    assert!(proves(&whole, 7, head) && proves(&earlier, 3, head_before));

    assert!(!proves(&whole, 8, head) && !proves(&whole, 7, head_before), "another position");
    assert!(!proves(&earlier, 7, head) && !proves(&[], 7, head), "another batch, or none");
    // The checkpoint is good, and what stands before it is not what it was signed for.
    let checkpoint = gateway.checkpoint();
    let piece = before.clone().piece_of(&[Record::new(Outcome::Allow(Reason::Ok)); 4], |_| {});
    let hollow = Piece { records: Vec::new(), ..piece };
    let other = Piece { before: Head([1; 32]), ..piece };
    for piece in [hollow, other] {
        assert!(!proves(&gateway.seal(&piece, &checkpoint), 7, head));
    }
    let forger = Gateway { key: SigningKey::from_bytes(&[1; 32]), ..gateway.clone() };
    let forged = before.write_signed(4, |_| forger.checkpoint());
    assert!(!proves(&forged, 7, head), "somebody else's signature");
}
