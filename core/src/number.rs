//! Numbers in groups of seven bits, the lowest first; a bit above says that another group follows. Each
//! has one spelling, the shortest.

/// Why bytes do not begin with a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotANumber {
    /// They end before it does.
    CutShort,
    /// It has more than 64 bits, or says a second time what it has said.
    Spelling,
}

/// Takes a number off the front of `bytes`.
#[inline(never)]
pub(crate) fn take(bytes: &mut &[u8]) -> Result<u64, NotANumber> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(NotANumber::CutShort)?;
        *bytes = rest;
        let group = u64::from(byte & 0x7f);
        let shifted = group << shift;
        // A group that says nothing at the end says it a second time.
        let needless = *byte == 0 && shift > 0;
        if needless || shifted >> shift != group {
            return Err(NotANumber::Spelling);
        }
        number |= shifted;
        if *byte < 0x80 {
            return Ok(number);
        }
    }

    Err(NotANumber::Spelling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<(u64, usize), NotANumber> {
        take(&mut bytes).map(|number| (number, bytes.len()))
    }

    #[test]
    fn a_number_is_read_in_its_shortest_form_only() {
        assert_eq!(read(&[0]), Ok((0, 0)));
        assert_eq!(read(&[0x7f, 9]), Ok((127, 1)));
        assert_eq!(read(&[0x80, 1]), Ok((128, 0)));
        assert_eq!(read(&[0x80, 0]), Err(NotANumber::Spelling));
        assert_eq!(read(&[0xff; 9]), Err(NotANumber::CutShort));
        let ends_with = |last| {
            let mut bytes = [0xff; 10];
            bytes[9] = last;
            bytes
        };
        assert_eq!(read(&ends_with(1)), Ok((u64::MAX, 0)));
        assert_eq!(read(&ends_with(2)), Err(NotANumber::Spelling));
        assert_eq!(read(&[]), Err(NotANumber::CutShort));
    }
}
