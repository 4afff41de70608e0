//! What stands beside the batches, held against the records that these prove: made again from each
//! record and compared byte by byte, so that nothing in it can be changed unseen.

use std::collections::BTreeSet;
use std::io;

use gateward_agent::journal::json::Origin;
use gateward_agent::proof::{Mistake, Mistakes};
use gateward_core::audit::{Head, Record, SnapshotName};
use gateward_core::trust::Incarnation;

/// A record of the chain, and what is known with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proved<'a> {
    pub(super) record: Record<'a>,
    pub(super) origin: &'a Origin,
    pub(super) snapshot: Option<SnapshotName>,
    /// The chain's head after it.
    pub(super) head: &'a Head,
}

/// Which record something says it is of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct About {
    pub(super) seq: u64,
    /// Tells enrolments of a gateway apart.
    pub(super) whose: String,
}

/// How records stand there: something for each, in the order of their numbers.
pub(super) trait Form {
    /// Makes what should stand there.
    fn write(proved: &Proved<'_>, out: &mut Vec<u8>);
    /// Returns which record it says it is of; none where it says none.
    fn about(found: &[u8]) -> Option<About>;
    /// Returns the names of the fields in which two of a record differ.
    fn fields(expected: &[u8], found: &[u8]) -> Vec<String>;

    /// Goes on if the next is `expected` and that can be told at once; returns whether.
    fn take_if(&mut self, expected: &[u8]) -> bool;
    /// Goes on to the next; none at the end.
    fn next(&mut self) -> io::Result<Option<&[u8]>>;
    /// Says that the last one belongs to no record.
    fn surplus(&self, about: Option<About>) -> Mistake;
}

/// Where the comparison is.
#[derive(Debug)]
pub(super) struct Beside<F> {
    form: F,
    /// Something that was read and belongs to no record so far.
    held: Option<Vec<u8>>,
    mistakes: Mistakes,
    incarnation: Option<Incarnation>,
    /// Nothing has been compared yet, and what was before may have been forgotten on purpose.
    begins_later: bool,
    /// So much stood before that, of which nothing proves anything.
    unproved: u64,
    /// Records that were proved meanwhile, from the first to the last.
    unmatched: Option<(Incarnation, u64, u64)>,
    /// Whose records these are, and those of whom were there before.
    here: String,
    left: BTreeSet<String>,
    expected: Vec<u8>,
}

impl<F: Form> Beside<F> {
    /// Begins; `begins_later` where what stood there first may have been forgotten on purpose.
    pub(super) fn new(form: F, begins_later: bool) -> Self {
        let (here, left) = (String::new(), BTreeSet::new());
        let (mistakes, expected) = (Mistakes::default(), Vec::new());

        Self {
            form,
            held: None,
            mistakes,
            incarnation: None,
            begins_later,
            unproved: 0,
            unmatched: None,
            here,
            left,
            expected,
        }
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.held.take() {
            Some(held) => Ok(Some(held)),
            None => Ok(self.form.next()?.map(<[u8]>::to_vec)),
        }
    }

    /// Returns what comes next, which is left where it is.
    pub(super) fn peek(&mut self) -> io::Result<Option<&[u8]>> {
        self.held = self.next()?;

        Ok(self.held.as_deref())
    }

    /// Counts what is left.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }

        Ok(count)
    }

    /// Holds the next against the record.
    pub(super) fn hold(&mut self, proved: &Proved<'_>) -> io::Result<()> {
        let (incarnation, number) = (proved.origin.incarnation, proved.record.seq);
        let mut expected = core::mem::take(&mut self.expected);
        expected.clear();
        F::write(proved, &mut expected);
        if self.incarnation != Some(proved.origin.incarnation) {
            self.incarnation = Some(proved.origin.incarnation);
            self.enter(&expected);
        }
        // Nearly always, and then nothing is read twice.
        let is_next = self.held.is_none() && self.form.take_if(&expected);
        let held = if is_next { Ok(true) } else { self.search(proved, &expected) };
        self.expected = expected;
        self.begins_later &= !held?;
        if self.begins_later {
            let first = self.unmatched.map_or(number, |(_, first, _)| first);
            self.unmatched = Some((incarnation, first, number));
        }

        Ok(())
    }

    /// Returns whether there is one for the record.
    fn search(&mut self, proved: &Proved<'_>, expected: &[u8]) -> io::Result<bool> {
        let (incarnation, number) = (proved.origin.incarnation, proved.record.seq);
        let removed = Mistake::Removed { incarnation, first: number, last: number };
        loop {
            let Some(found) = self.next()? else {
                self.wrong(removed);
                return Ok(false);
            };
            if found == expected {
                return Ok(true);
            }
            let about = F::about(&found);
            match about {
                Some(about) if about.whose == self.here && about.seq == number => {
                    let fields = F::fields(expected, &found);
                    self.mistakes.add(Mistake::Altered { incarnation, number, fields });
                    return Ok(true);
                }
                Some(about) if !self.is_before(&about, number) => {
                    self.held = Some(found);
                    self.wrong(removed);
                    return Ok(false);
                }
                about => {
                    self.unproved += u64::from(self.begins_later);
                    self.wrong(self.form.surplus(about));
                }
            }
        }
    }

    /// Notes what is missing or too much, unless that may have been forgotten.
    fn wrong(&mut self, mistake: Mistake) {
        if !self.begins_later {
            self.mistakes.add(mistake);
        }
    }

    fn enter(&mut self, expected: &[u8]) {
        let whose = F::about(expected).map(|about| about.whose).unwrap_or_default();
        if whose != self.here {
            let before = core::mem::replace(&mut self.here, whose);
            self.left.insert(before);
        }
    }

    /// Whether something that is no record's can only be of what has been passed.
    fn is_before(&self, about: &About, number: u64) -> bool {
        if about.whose == self.here { about.seq < number } else { self.left.contains(&about.whose) }
    }

    /// Returns what is wrong, and how much stood before what was proved; what is left belongs to no record.
    pub(super) fn finish(mut self) -> io::Result<(Mistakes, u64)> {
        // To forget all that is shown of records that are there is no beginning.
        if let Some((incarnation, first, last)) = self.unmatched.filter(|_| self.begins_later) {
            self.mistakes.add(Mistake::Removed { incarnation, first, last });
        }
        while let Some(found) = self.next()? {
            self.mistakes.add(self.form.surplus(F::about(&found)));
        }

        Ok((self.mistakes, self.unproved))
    }
}
