//! The control plane itself ends, before or after any file that it writes.

use super::*;
use crate::whole::breaking;

#[tokio::test]
async fn wherever_a_publish_ends_gateways_have_the_old_version_or_the_new_one() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let mut last = world.manifest().unwrap().version().number;
    for steps in 0..200 {
        // One comes and one goes, so that there is a list too.
        world.add_user(&format!("user{steps}"));
        if steps > 0 {
            let name = format!("user{}", steps - 1);
            world.accounts().set_status(Kind::User, &name, PrincipalStatus::Disabled).unwrap();
        }
        let old = world.manifest().unwrap().version();
        let people = world.arrives().unwrap().view().principals().count();
        breaking::after(Some(steps));
        let broken = world.publish().await;
        let left = breaking::after(None);
        let snapshot = world.arrives().unwrap();
        let is_new = snapshot.manifest().version() != old;
        assert_eq!(snapshot.view().principals().count(), people + usize::from(is_new));

        let done = world.publish().await.unwrap();
        assert!(done.version.number > last, "after {steps} steps");
        last = done.version.number;
        assert_eq!(world.arrives().unwrap().view().principals().count(), people + 1);
        assert_eq!(world.roots().len(), 1, "after {steps} steps: what nobody names is removed");
        assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged, "{steps}");
        if broken.is_ok() {
            assert!(left > Some(0) || steps > 10, "{steps} steps");
            return;
        }
    }
    panic!("a publish takes more steps than that");
}
