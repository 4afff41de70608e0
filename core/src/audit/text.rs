//! Texts that somebody else chose, made fit to be kept.

use core::fmt;

use crate::route::mask_tokens;

/// A text of at most `N` bytes in which nothing looks like a token any more (DOMAIN I4, N9).
///
/// Masking comes before cutting, so that a cut never turns a token into something that no pattern
/// knows. The text is kept otherwise as it is: whoever shows it escapes it.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct Text<const N: usize>(heapless::String<N>);

impl<const N: usize> Text<N> {
    /// Takes `text`, masked, and cut at the last character that fits.
    #[must_use]
    pub fn untrusted(text: &str) -> Self {
        let mut kept = Cut { text: heapless::String::new(), full: false };
        // The only failure is that of the writer, which is how it says that it is full.
        let _full = mask_tokens(text, &mut kept);

        Self(kept.text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text, or none where it is empty, for fields that are then left out.
    #[must_use]
    pub fn non_empty(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&self.0)
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

struct Cut<const N: usize> {
    text: heapless::String<N>,
    full: bool,
}

impl<const N: usize> fmt::Write for Cut<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // What fits is copied as one: the time of a refusal shall not show the length of a name in it.
        if !self.full && self.text.push_str(text).is_ok() {
            return Ok(());
        }
        for character in text.chars() {
            self.write_char(character)?;
        }

        Ok(())
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        self.full |= self.text.push(character).is_err();

        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}
