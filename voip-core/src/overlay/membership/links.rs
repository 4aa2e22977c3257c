//! Links to peers that are no neighbours, or not yet.

use crate::id::PeerId;
use crate::time::{Duration, Instant};
use crate::wire::gossip::{Contact, Priority};

/// All of them.
pub(crate) const MAX_LINKS: usize = 24;
/// Of which so many may be made by others who have not said yet what they want.
const MAX_IDLE: usize = 12;
/// How long a link may take to open.
const OPENING: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a link may be there without a purpose.
const IDLE: Duration = Duration::from_secs(10);
/// An attempt that takes longer does not hold up others.
const SLOW: Duration = Duration::from_secs(2);

/// What to say when a link is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Join,
    Neighbor(Priority),
    /// To be neighbours, of one who was lost.
    Bridge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening(Ask),
    Asked(Ask),
    Idle,
}

#[derive(Debug)]
struct Link {
    contact: Contact,
    stage: Stage,
    since: Instant,
    until: Instant,
}

/// No room for another link.
#[derive(Debug)]
pub(crate) struct Full;

/// What follows from the wish for a link.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The link is to be opened.
    Open,
    /// There is one: ask.
    Ask,
    /// Somebody asked already.
    Already,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: Vec<Link>,
}

impl Links {
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.links.iter().any(|link| link.contact.id == peer)
    }

    pub(crate) fn is_up(&self, peer: PeerId) -> bool {
        let is_up = |link: &Link| !matches!(link.stage, Stage::Opening(_));
        self.links.iter().any(|link| link.contact.id == peer && is_up(link))
    }

    /// Attempts that may soon give a neighbour.
    pub(crate) fn under_way(&self, now: Instant) -> usize {
        let counts = |link: &&Link| link.stage != Stage::Idle && now - link.since < SLOW;
        self.links.iter().filter(counts).count()
    }

    /// A link is wanted.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        contact: Contact,
        ask: Ask,
    ) -> Result<Begun, Full> {
        if let Some(link) = self.get(contact.id) {
            if link.stage != Stage::Idle {
                return Ok(Begun::Already);
            }
            (link.stage, link.since, link.until) = (Stage::Asked(ask), now, now + ANSWER);
            return Ok(Begun::Ask);
        }
        if self.links.len() >= MAX_LINKS {
            return Err(Full);
        }
        let stage = Stage::Opening(ask);
        self.links.push(Link { contact, stage, since: now, until: now + OPENING });
        Ok(Begun::Open)
    }

    /// A link is open: what to ask there, if it was wanted here.
    pub(crate) fn open(&mut self, now: Instant, peer: PeerId) -> Result<Option<Ask>, Full> {
        if let Some(link) = self.get(peer) {
            let Stage::Opening(ask) = link.stage else { return Ok(None) };
            (link.stage, link.until) = (Stage::Asked(ask), now + ANSWER);
            return Ok(Some(ask));
        }
        let idle = self.links.iter().filter(|link| link.stage == Stage::Idle).count();
        if idle >= MAX_IDLE || self.links.len() >= MAX_LINKS {
            return Err(Full);
        }
        let contact = Contact { id: peer, addresses: Vec::new() };
        self.links.push(Link { contact, stage: Stage::Idle, since: now, until: now + IDLE });
        Ok(None)
    }

    /// What was asked of `peer`, if it has not answered yet.
    pub(crate) fn asked(&mut self, peer: PeerId) -> Option<Ask> {
        match self.get(peer)?.stage {
            Stage::Asked(ask) => Some(ask),
            Stage::Opening(_) | Stage::Idle => None,
        }
    }

    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Contact> {
        let at = self.links.iter().position(|link| link.contact.id == peer)?;
        Some(self.links.swap_remove(at).contact)
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = PeerId> {
        std::mem::take(&mut self.links).into_iter().map(|link| link.contact.id)
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.links.iter().map(|link| link.until).min().unwrap_or(Instant::FAR_FUTURE)
    }

    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<(Contact, Stage)> {
        let at = self.links.iter().position(|link| link.until <= now)?;
        let link = self.links.swap_remove(at);
        Some((link.contact, link.stage))
    }

    fn get(&mut self, peer: PeerId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.contact.id == peer)
    }
}
