//! What a client knows of one user of its own: every state that the answers so far leave possible.

use std::collections::BTreeSet;

use crate::harness::Tokens;

/// How many sessions a user has at most; with one more the oldest ends.
const MAX_SESSIONS: usize = 16;

/// Where a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Nowhere,
    Live,
    Trash,
}

/// A user's profile image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Picture {
    None,
    Named(String),
    /// One that was uploaded, but the answer with its name never came.
    Unnamed,
}

impl Picture {
    pub(crate) fn named(file_name: Option<&str>) -> Self {
        file_name.map_or(Self::None, |name| Self::Named(name.to_owned()))
    }
}

/// What a user may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) place: Place,
    /// The username; the email is made of it, and both are always changed together. Empty where the user is nowhere.
    pub(crate) name: String,
    pub(crate) picture: Picture,
    /// Whether the tokens that the client holds are good.
    session_lives: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Owner,
    Admin,
}

/// What can be asked for a user.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    SignUp { name: String },
    LogIn { name: String },
    Refresh,
    Read(By),
    Edit { by: By, name: String },
    Upload { png: bool },
    Delete(By),
    Restore,
    Purge,
}

impl State {
    fn new(place: Place, name: &str) -> Self {
        Self { place, name: name.to_owned(), picture: Picture::None, session_lives: false }
    }

    /// The documented answer to a request, and what the user is then.
    fn after(&self, request: &Request) -> (u16, Self) {
        let by_owner = matches!(
            request,
            Request::Read(By::Owner)
                | Request::Edit { by: By::Owner, .. }
                | Request::Delete(By::Owner)
                | Request::Upload { .. }
        );
        let same = self.clone();
        if by_owner && !(self.place == Place::Live && self.session_lives) {
            return (401, same);
        }
        match (request, self.place) {
            (Request::SignUp { name }, Place::Nowhere) => (201, Self::new(Place::Live, name)),
            (Request::SignUp { .. }, Place::Live | Place::Trash) => (409, same),
            (Request::LogIn { name }, Place::Live) if self.name == *name => {
                (200, Self { session_lives: true, ..same })
            }
            (Request::Refresh, Place::Live) if self.session_lives => (200, same),
            (Request::LogIn { .. } | Request::Refresh, _) => (401, same),
            (Request::Read(_), Place::Live) => (200, same),
            (Request::Edit { name, .. }, Place::Live) => (200, Self { name: name.clone(), ..same }),
            (Request::Upload { .. }, _) => (200, Self { picture: Picture::Unnamed, ..same }),
            // Tokens from before a deletion stay dead.
            (Request::Delete(_), Place::Live) => {
                (204, Self { place: Place::Trash, session_lives: false, ..same })
            }
            (Request::Restore, Place::Trash) => (200, Self { place: Place::Live, ..same }),
            (Request::Purge, Place::Trash) => (204, Self::new(Place::Nowhere, "")),
            (Request::Delete(_), Place::Trash) | (Request::Restore, Place::Live) | (Request::Purge, _) => {
                (400, same)
            }
            (Request::Read(_) | Request::Edit { .. } | Request::Delete(_) | Request::Restore, _) => {
                (404, same)
            }
        }
    }
}

/// The tokens of a log-in.
#[derive(Debug)]
struct Held {
    tokens: Tokens,
    /// How many log-ins there were since, and how many more there may have been.
    later: usize,
    perhaps: usize,
}

/// One user of a client, which nobody else changes.
///
/// An answer but 503 leaves those states that it is the documented answer in. After 503, or none, the change may have happened
/// or not, whole. What an answer told is never taken back: a state that was ruled out once does not return.
#[derive(Debug)]
pub(crate) struct Account {
    /// Known from the first log-in until it is certain that the user is gone.
    pub(crate) id: Option<String>,
    /// What it signs up as.
    pub(crate) first_name: String,
    /// What it was before the last request that was not answered.
    pub(crate) before: Option<State>,
    /// The tokens that are good wherever `session_lives` says so, the newest last.
    held: Vec<Held>,
    /// Refresh tokens of sessions that have ended for certain.
    pub(crate) ended: Vec<String>,
    possible: BTreeSet<State>,
}

impl Account {
    pub(crate) fn new(first_name: String) -> Self {
        Self {
            id: None,
            first_name,
            before: None,
            held: Vec::new(),
            ended: Vec::new(),
            possible: [State::new(Place::Nowhere, "")].into(),
        }
    }

    /// What the user may be.
    pub(crate) fn possible(&self) -> impl ExactSizeIterator<Item = &State> {
        self.possible.iter()
    }

    pub(crate) fn may_be_in(&self, place: Place) -> bool {
        self.possible.iter().any(|state| state.place == place)
    }

    /// Where the user is, which must be known.
    #[track_caller]
    pub(crate) fn place(&self) -> Place {
        let place = self.possible.first().expect("a user is something").place;
        assert!(self.possible.iter().all(|state| state.place == place), "{self:#?}");
        place
    }

    /// Of the last log-in whose session may still live.
    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        self.held.last().map(|held| &held.tokens)
    }

    /// The refresh tokens of all sessions that live for certain.
    pub(crate) fn living(&self) -> Vec<String> {
        let certain = self.possible.iter().all(|state| state.session_lives);
        let held = self.held.iter().filter(|_| certain);
        held.map(|held| held.tokens.refresh.clone()).collect()
    }

    /// The last session has a new access token.
    pub(crate) fn refreshed(&mut self, access: &str) {
        if let Some(held) = self.held.last_mut() {
            access.clone_into(&mut held.tokens.access);
        }
    }

    /// A log-in was answered with these.
    pub(crate) fn logged_in(&mut self, tokens: Tokens) {
        for held in &mut self.held {
            held.later += 1;
        }
        self.held.push(Held { tokens, later: 0, perhaps: 0 });
        self.end_the_oldest();
    }

    /// An upload was answered with this name.
    pub(crate) fn pictured(&mut self, file_name: &str) {
        let named = |state| State { picture: Picture::named(Some(file_name)), ..state };
        self.possible = std::mem::take(&mut self.possible).into_iter().map(named).collect();
    }

    /// Learns from an answer: `fits` says whether it is one to expect, given the documented status and the state then.
    #[track_caller]
    pub(crate) fn learn(&mut self, request: &Request, told: &str, fits: impl Fn(u16, &State) -> bool) {
        let outcomes = self.possible.iter().map(|state| (state, state.after(request)));
        let left: Vec<(&State, State)> = outcomes
            .filter(|(_, (status, state))| fits(*status, state))
            .map(|(was, (_, state))| (was, state))
            .collect();
        assert!(!left.is_empty(), "{request:?} was answered {told}, which does not fit {self:#?}");
        // A new session says nothing of those before it.
        let unsure = left.iter().any(|(was, state)| state.session_lives && !was.session_lives);
        let left = left.into_iter().map(|(_, state)| state).collect();
        if unsure {
            self.held.clear();
        }
        self.become_one_of(left);
    }

    /// There was no answer, or 503.
    pub(crate) fn learn_nothing(&mut self, request: &Request) {
        if matches!(request, Request::LogIn { .. }) {
            // It may have begun a session that nobody holds the tokens of: enough of them would end those that are held.
            for held in &mut self.held {
                held.perhaps += 1;
            }
            return self.end_the_oldest();
        }
        let before = self.possible.clone();
        self.possible.extend(before.iter().map(|state| state.after(request).1));
        self.before = before.into_iter().next().filter(|_| self.possible.len() > 1);
    }

    /// Learns from lists of users: those names of this user that are live, and whether the trash holds it, if that was asked.
    #[track_caller]
    pub(crate) fn learn_listed(&mut self, live: &[&str], in_trash: Option<bool>) {
        let told = format!("listed {live:?}, in the trash {in_trash:?}");
        self.learn_that(&told, |state| {
            let listed =
                if state.place == Place::Live { live == [state.name.as_str()] } else { live.is_empty() };
            listed && in_trash.is_none_or(|in_trash| in_trash == (state.place == Place::Trash))
        });
    }

    /// Learns that it is one of those states that fit.
    #[track_caller]
    pub(crate) fn learn_that(&mut self, told: &str, fits: impl Fn(&State) -> bool) {
        let left: BTreeSet<State> = self.possible.iter().filter(|state| fits(state)).cloned().collect();
        assert!(!left.is_empty(), "{told}: this does not fit {self:#?}");
        self.become_one_of(left);
    }

    fn become_one_of(&mut self, states: BTreeSet<State>) {
        let was = std::mem::replace(&mut self.possible, states);
        if self.possible.iter().all(|state| !state.session_lives) {
            self.ended.extend(self.held.drain(..).map(|held| held.tokens.refresh));
        }
        let is_gone = self.possible.iter().all(|state| state.place == Place::Nowhere);
        if self.id.is_some() && is_gone {
            // All its names are free again; it takes one of them.
            self.id = None;
            if let Some(state) = was.into_iter().find(|state| !state.name.is_empty()) {
                self.first_name = state.name;
            }
        }
    }

    fn end_the_oldest(&mut self) {
        let ended = self.held.extract_if(.., |held| held.later >= MAX_SESSIONS);
        self.ended.extend(ended.map(|held| held.tokens.refresh));
        self.held.retain(|held| held.later + held.perhaps < MAX_SESSIONS);
    }
}
