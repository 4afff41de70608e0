//! API tokens and the tokens of service users.

use gateward_core::name::{Hex, Uuid};
use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Context, Lookup, Secret};
use zeroize::Zeroizing;

use super::line::{TokenLine, append, change};
use super::{Accounts, Kind, Refused};
use crate::day::Day;
use crate::draw;
use crate::policy::{PrincipalStatus, Sources, TOKENS, Token, TokenStatus};

/// A token to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken {
    /// Whether its owner is a user or a service user.
    pub kind: Kind,
    /// The owner's name.
    pub owner: String,
    /// Its own name.
    pub name: String,
    /// Its last day.
    pub end: Option<Day>,
}

/// Which token is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenRef {
    /// The one with this public part.
    Lookup(String),
    /// The one of this name; whose, and what it is called.
    Named(Kind, String, String),
}

impl std::fmt::Display for TokenRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lookup(lookup) => write!(f, "`{}`", lookup.escape_debug()),
            Self::Named(kind, owner, name) => {
                let (owner, name) = (owner.escape_debug(), name.escape_debug());
                write!(f, "`{name}` of {} `{owner}`", kind.name())
            }
        }
    }
}

/// A token that was just made. Its text exists here and nowhere else.
pub struct Issued {
    /// The public part.
    pub lookup: Lookup,
    /// The text that its owner keeps; wiped when dropped.
    pub text: Zeroizing<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("lookup", &self.lookup).finish_non_exhaustive()
    }
}

/// Different characters that an imported token must have, so that a made-up one is noticed.
const LEAST_VARIETY: usize = 10;

impl Accounts {
    /// Makes a token and returns its text.
    ///
    /// # Errors
    ///
    /// Its owner is not there, its name is taken, or its end is over.
    pub fn new_token(&mut self, new: &NewToken) -> Result<Issued, Refused> {
        let (issued, sources) = self.with_issued(new)?;
        self.commit(sources)?;

        Ok(issued)
    }

    /// Draws a token, and returns the texts with it in them.
    fn with_issued(&self, new: &NewToken) -> Result<(Issued, Sources), Refused> {
        let kind = token_kind(new.kind);
        let id = self.draw_token_id()?;
        let secret = draw::secret()?;
        let lookup = Lookup { kind: kind as u8, id };
        let sources = self.with_token(new, lookup, &secret)?;
        let text = Zeroizing::new(token::write(kind, id, &secret));
        let text = Zeroizing::new(String::from_utf8_lossy(&text[..]).into_owned());

        Ok((Issued { lookup, text }, sources))
    }

    /// Takes a token that somebody else made, and keeps its digests only (FORMAT section 2).
    ///
    /// # Errors
    ///
    /// As for [`Accounts::new_token`]; and the text could be guessed, or is one of ours.
    pub fn import_token(&mut self, new: &NewToken, text: &[u8]) -> Result<Lookup, Refused> {
        if text.starts_with(token::PREFIX) {
            return Err(Refused::NotImportable(
                "a token that begins with gwd1. was made by Gateward; make one with `token new`",
            ));
        }
        let token = token::Token::read(text).ok().filter(token::Token::is_well_formed);
        let Some(token) = token else {
            return Err(Refused::NotImportable(
                "an imported token has 22 to 512 printable ASCII characters without white space, \
                 which is what 128 random bits take; have a longer one made",
            ));
        };
        let variety = text.iter().collect::<std::collections::BTreeSet<_>>().len();
        if variety < LEAST_VARIETY {
            return Err(Refused::NotImportable(
                "the text has too few different characters to be random; have one made from 128 \
                 random bits",
            ));
        }
        let lookup = token.lookup;
        if self.policy.tokens().iter().any(|known| known.lookup.id == lookup.id) {
            return Err(Refused::Imported(lookup.to_string()));
        }
        let sources = self.with_token(new, lookup, token.secret())?;
        self.commit(sources)?;

        Ok(lookup)
    }

    /// Enables, disables or deletes a token.
    ///
    /// # Errors
    ///
    /// There is no such token, it was deleted, it has ended and is to be enabled, or its entry was
    /// written by hand.
    pub fn set_token_status(
        &mut self,
        which: &TokenRef,
        status: TokenStatus,
    ) -> Result<Lookup, Refused> {
        let token = self.token(which)?;
        if status == TokenStatus::Enabled {
            self.refuse_expired(token)?;
        }
        let lookup = token.lookup;
        let sources = self.with_changed(token, |line| {
            line.status = Some(status.name().to_owned());
            if status == TokenStatus::Deleted {
                line.verifier = None;
            }
        })?;
        self.commit(sources)?;

        Ok(lookup)
    }

    /// Sets, moves or removes the end date of a token.
    ///
    /// # Errors
    ///
    /// There is no such token, it was deleted, it has ended, or its entry was written by hand.
    pub fn set_token_end(&mut self, which: &TokenRef, end: Option<Day>) -> Result<Lookup, Refused> {
        let token = self.token(which)?;
        self.refuse_expired(token)?;
        let lookup = token.lookup;
        let sources =
            self.with_changed(token, |line| line.end_date = end.map(|day| day.to_string()))?;
        self.commit(sources)?;

        Ok(lookup)
    }

    /// Makes a token beside `which`, with the same owner; the old one works until it is disabled,
    /// so that nothing stops meanwhile (DOMAIN C7).
    ///
    /// Its name is the old one's with a number at the end; its end is `end`, else the old one's
    /// where that is not over.
    ///
    /// # Errors
    ///
    /// As for [`Accounts::new_token`].
    pub fn rotate_token(
        &mut self,
        which: &TokenRef,
        end: Option<Day>,
        disable_old: bool,
    ) -> Result<Issued, Refused> {
        let old = self.token(which)?.clone();
        if old.status == TokenStatus::Deleted {
            return Err(Refused::Deleted { what: format!("token {}", old.lookup) });
        }
        let principals = self.policy.principals_by_id();
        let owner = principals.get(&old.owner).map(|owner| owner.name.clone()).unwrap_or_default();
        let kind = match old.kind {
            TokenKind::Api => Kind::User,
            TokenKind::Service => Kind::ServiceUser,
        };
        let end = end.or(old.end.filter(|day| !day.is_over(self.now)));
        let new = NewToken { kind, owner, name: self.free_name(&old), end };
        // One write: where the old one cannot be disabled there is no new one, whose text nobody saw.
        let (issued, mut sources) = self.with_issued(&new)?;
        if disable_old {
            edit(&mut sources, &old, |line| {
                line.status = Some(TokenStatus::Disabled.name().to_owned());
            })?;
        }
        self.commit(sources)?;

        Ok(issued)
    }

    /// Finds a token; of two of a name, the one that is not deleted.
    fn token(&self, which: &TokenRef) -> Result<&Token, Refused> {
        let found = match which {
            TokenRef::Lookup(text) => {
                let lookup = Lookup::parse(text);
                self.policy.tokens().iter().find(|token| Some(token.lookup) == lookup)
            }
            TokenRef::Named(kind, owner, name) => {
                let owner = self.principal(*kind, owner)?.id;
                let named = |token: &&Token| token.owner == owner && token.name == *name;
                let mut named = self.policy.tokens().iter().filter(named);
                let alive = named.clone().find(|token| token.status != TokenStatus::Deleted);
                alive.or_else(|| named.next())
            }
        };

        found.ok_or_else(|| Refused::NoSuchToken(which.to_string()))
    }

    fn refuse_expired(&self, token: &Token) -> Result<(), Refused> {
        match token.end.filter(|day| day.is_over(self.now)) {
            Some(end) => {
                Err(Refused::Expired { lookup: token.lookup.to_string(), end: end.to_string() })
            }
            None => Ok(()),
        }
    }

    fn with_changed(
        &self,
        token: &Token,
        change: impl FnOnce(&mut TokenLine),
    ) -> Result<Sources, Refused> {
        let mut sources = self.sources.clone();
        edit(&mut sources, token, change)?;

        Ok(sources)
    }

    /// Returns the texts with a new token in them.
    fn with_token(
        &self,
        new: &NewToken,
        lookup: Lookup,
        secret: &Secret,
    ) -> Result<Sources, Refused> {
        let owner = self.principal(new.kind, &new.owner)?;
        if owner.status == PrincipalStatus::Deleted {
            let what = format!("{} `{}`", new.kind.name(), new.owner.escape_debug());
            return Err(Refused::Deleted { what });
        }
        if let Some(end) = new.end.filter(|day| day.is_over(self.now)) {
            return Err(Refused::Over(end.to_string()));
        }
        let Uuid(account) = self.policy.account().id;
        let verifier = Context::new(&account).verifier(lookup.id, secret);
        let kind = match token_kind(new.kind) {
            TokenKind::Api => "api_token",
            TokenKind::Service => "service_token",
        };
        let mut sources = self.sources.clone();
        append(
            &mut sources.tokens,
            &TokenLine {
                kind: kind.to_owned(),
                owner_id: owner.id.to_string(),
                owner: Some(owner.name.clone()),
                name: new.name.clone(),
                lookup: lookup.to_string(),
                verifier: Some(Hex(&verifier).to_string()),
                status: Some(TokenStatus::Enabled.name().to_owned()),
                end_date: new.end.map(|day| day.to_string()),
            },
        );

        Ok(sources)
    }

    /// Draws an id that no token has, or ever had.
    fn draw_token_id(&self) -> Result<u64, Refused> {
        loop {
            let id = u64::from_le_bytes(draw::bytes()?);
            if id != 0 && self.policy.tokens().iter().all(|token| token.lookup.id != id) {
                return Ok(id);
            }
        }
    }

    /// Returns the name of `old` with the next number that is free.
    fn free_name(&self, old: &Token) -> String {
        let stem = match old.name.rsplit_once(' ') {
            Some((stem, number)) if number.parse::<u32>().is_ok() => stem,
            Some(_) | None => &old.name,
        };
        let taken = |name: &str| {
            let twin = |token: &&Token| token.owner == old.owner && token.name == name;
            self.policy.tokens().iter().any(|token| twin(&token))
        };

        (2_u32..).map(|n| format!("{stem} {n}")).find(|name| !taken(name)).unwrap_or_default()
    }
}

/// Changes the entry of `token`, where a command wrote it.
fn edit(
    sources: &mut Sources,
    token: &Token,
    edit: impl FnOnce(&mut TokenLine),
) -> Result<(), Refused> {
    let what = format!("token {}", token.lookup);
    if token.status == TokenStatus::Deleted {
        return Err(Refused::Deleted { what });
    }
    let by_command = token.place.file == TOKENS;
    if by_command && change(&mut sources.tokens, token.place.line, edit) {
        return Ok(());
    }

    Err(Refused::ByHand { what, place: token.place, table: TOKENS })
}

const fn token_kind(kind: Kind) -> TokenKind {
    match kind {
        Kind::ServiceUser => TokenKind::Service,
        Kind::User => TokenKind::Api,
    }
}
