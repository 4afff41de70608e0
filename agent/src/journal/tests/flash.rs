//! What the journal takes on disk and costs the flash under it.

use gateward_core::audit::{Authentication, Credential, Method, Source, Text};
use gateward_core::permission::Operation;
use gateward_core::time::Millis;
use gateward_core::token::Lookup;

use super::super::metered::PAGE;
use super::super::status::DAY_MS;
use super::*;

/// Counts syncs and bytes of records on their way to the disk.
#[derive(Default)]
struct Counted {
    syncs: u64,
    bytes: u64,
}

struct Counting(Arc<Mutex<Counted>>);
struct CountingFile(Box<dyn Handle>, Arc<Mutex<Counted>>, bool);

impl Medium for Counting {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let is_segment = path.extension().is_some_and(|extension| extension == "seg");
        let file = CountingFile(Real.open(path)?, Arc::clone(&self.0), is_segment);

        Ok(Box::new(file))
    }
}

impl Handle for CountingFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.1.lock().unwrap().bytes += if self.2 { bytes.len() as u64 } else { 0 };
        self.0.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.lock().unwrap().syncs += u64::from(self.2);
        self.0.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.cut(len)
    }
}

/// A decision about a resource of 24 bytes, by somebody with a name of 24 bytes.
fn full() -> Draft {
    let text = "edge/press-4/valve-0017a";
    assert_eq!(text.len(), 24);

    Draft {
        authentication: Authentication::ApiToken,
        principal: Some((Uuid([3; 16]), Text::untrusted(text))),
        credential: Credential::Verified(Lookup { kind: 1, id: u64::MAX }),
        operation: Some(Operation::Write),
        permission: gateward_core::permission::Permission::new(5),
        division: Some(Uuid([2; 16])),
        resource: Text::untrusted(text),
        method: Some(Method::read("PUT")),
        snapshot_version: 7,
        source: Source::Uid(33),
        ..draft()
    }
}

#[tokio::test]
async fn a_record_takes_at_most_144_bytes_with_a_name_and_a_resource_of_24() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), 1);
    assert_eq!(room::burst(&opened.journal, full, 3_000).await, 3_000);
    close(opened).await;

    let (mut bytes, mut beside) = (0, 0);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let len = entry.metadata().unwrap().len();
        match entry.path().extension() {
            Some(extension) if extension == "seg" => bytes += len,
            _ => beside += len,
        }
    }
    assert!((bytes + beside) / 3_000 <= 144, "{} B a record", (bytes + beside) as f64 / 3e3);
}

#[tokio::test]
async fn what_goes_to_the_flash_is_a_fifth_more_than_the_records_and_three_pages_a_sync_at_most() {
    for (sync, together) in [
        (Durability::Group, 1),
        (Durability::Group, 64),
        (Durability::Interval(Duration::from_millis(2)), 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let counted = Arc::new(Mutex::new(Counted::default()));
        let medium = Arc::new(Counting(Arc::clone(&counted)));
        let options = Options { sync, max_bytes: 2 << 20, ..options(1) };
        let opened =
            Journal::open_on(medium, folder.path(), GATEWAY, &identity(), options).unwrap();
        for _ in 0..1_200 / together {
            assert_eq!(room::burst(&opened.journal, full, together).await, together);
        }
        let status = opened.journal.watch();
        close(opened).await;

        let (written, counted) = (status.borrow().written, counted.lock().unwrap());
        let most = counted.bytes * 12 / 10 + 3 * PAGE * counted.syncs;
        assert!(counted.bytes > 1_200 * 100 && written >= counted.bytes, "{written}");
        assert!(written <= most, "{sync:?}, {together} at once: {written} B of {most}");
    }
}

#[test]
fn what_is_written_in_a_day_is_a_mean_after_the_first_day_and_the_sum_before() {
    let status = Status {
        seq: 0,
        head: Head::START,
        bytes: 0,
        written: 6_000_000,
        released: 0,
        full: false,
        failing: false,
        no_space: false,
    };

    assert_eq!(status.written_per_day(Millis(1_000)), 6_000_000);
    assert_eq!(status.written_per_day(Millis(3 * DAY_MS)), 2_000_000);
}
