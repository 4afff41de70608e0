//! TEMPORARY STUB by the lead so that core compiles: its owner overwrites this file.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct RuleRecord<'a> {
    pub id: &'a str,
}
impl<'a> RuleRecord<'a> {
    pub fn rule(self) -> Option<Rule<'a>> {
        Some(Rule(self.id))
    }
}
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a>(pub &'a str);
/// x
pub fn mask_tokens(text: &str, to: &mut impl core::fmt::Write) -> core::fmt::Result {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("gwd1.") {
        to.write_str(before)?;
        to.write_str("gwd1.")?;
        let end = after.find('.').map_or(0, |at| at + 1);
        to.write_str(after.get(..end).unwrap_or_default())?;
        to.write_str("***")?;
        let after = after.get(end..).unwrap_or_default();
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    }
    to.write_str(rest)
}
