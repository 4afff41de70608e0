//! TEMPORARY STUB by the lead so that core compiles: its owner overwrites this file.
#[derive(Clone,Copy,Debug,serde::Deserialize)] pub struct RuleRecord<'a>{pub id:&'a str} impl<'a> RuleRecord<'a>{pub fn rule(self)->Option<Rule<'a>>{Some(Rule(self.id))}} #[derive(Clone,Copy,Debug)] pub struct Rule<'a>(pub &'a str);
