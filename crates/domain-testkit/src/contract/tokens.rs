//! [`Tokens`](roster_domain::ports::Tokens). What is in a token, which foreign ones are taken and that the fingerprint
//! is the SHA-256 is each adapter's own to test.

#![expect(clippy::unused_async, reason = "tests of all ports are run alike")]

use std::time::Duration;

use roster_domain::ports::{AccessClaims, InvalidToken, Validity};
use roster_domain::values::{AccessToken, Epoch, RefreshToken, SessionId, Timestamp, TokenId};

use super::TokenPorts;
use crate::fixtures::next_user_id;

/// A whole second, as which a token keeps its times.
const NOW: Timestamp = Timestamp::from_millis(1_739_186_539_000);
const A_MOMENT: Duration = Duration::from_millis(1);
/// Not what any token is given in earnest: how long one lives is the caller's to say.
const LIFETIME: Duration = Duration::from_secs(100);
const ID: TokenId = TokenId([8; 16]);

/// For [`LIFETIME`] from [`NOW`] on.
fn validity() -> Validity {
    Validity::starting(NOW, LIFETIME)
}

fn claims() -> AccessClaims {
    AccessClaims {
        user_id: next_user_id(),
        session: Some(SessionId::from_bytes([0xab; 16])),
        epoch: Epoch::new(3),
    }
}

fn access(text: &str) -> AccessToken {
    AccessToken::new(text.to_owned())
}

fn refresh(text: &str) -> RefreshToken {
    RefreshToken::new(text.to_owned())
}

pub async fn a_token_is_read_as_it_was_issued(ports: TokenPorts) {
    let sessions = [[0; 16], [0xff; 16]].map(|bytes| Some(SessionId::from_bytes(bytes)));
    let epochs = [Epoch::FIRST, Epoch::new(1), Epoch::new(u32::MAX)];
    let ours = sessions.into_iter().flat_map(|session| epochs.map(|epoch| (session, epoch)));
    // Only an earlier system's tokens name no session, and their epoch is the first.
    for (session, epoch) in ours.chain([(None, Epoch::FIRST)]) {
        let (tokens, claims) = (&ports.tokens, AccessClaims { session, epoch, ..claims() });
        assert_eq!(tokens.read_access(&tokens.issue_access(&claims, ID, validity()), NOW), Ok(claims));
        assert_eq!(tokens.read_refresh(&tokens.issue_refresh(&claims, ID, validity()), NOW), Ok(claims));
    }
}

pub async fn an_access_token_lives_until_it_expires_without_leeway(ports: TokenPorts) {
    let claims = claims();
    let token = ports.tokens.issue_access(&claims, ID, validity());
    let end = validity().expires;
    assert_eq!(ports.tokens.read_access(&token, end.minus(A_MOMENT)), Ok(claims));
    assert_eq!(ports.tokens.read_access(&token, end), Err(InvalidToken));
    assert_eq!(ports.tokens.read_access(&token, end.plus(LIFETIME)), Err(InvalidToken));
}

pub async fn a_refresh_token_lives_until_it_expires_without_leeway(ports: TokenPorts) {
    let claims = claims();
    let token = ports.tokens.issue_refresh(&claims, ID, validity());
    let end = validity().expires;
    assert_eq!(ports.tokens.read_refresh(&token, end.minus(A_MOMENT)), Ok(claims));
    assert_eq!(ports.tokens.read_refresh(&token, end), Err(InvalidToken));
}

pub async fn a_token_of_the_other_kind_is_refused(ports: TokenPorts) {
    let as_refresh = refresh(ports.tokens.issue_access(&claims(), ID, validity()).expose());
    assert_eq!(ports.tokens.read_refresh(&as_refresh, NOW), Err(InvalidToken));
    let as_access = access(ports.tokens.issue_refresh(&claims(), ID, validity()).expose());
    assert_eq!(ports.tokens.read_access(&as_access, NOW), Err(InvalidToken));
}

pub async fn a_token_signed_with_another_key_is_refused(ports: TokenPorts) {
    let token = ports.with_another_key.issue_access(&claims(), ID, validity());
    assert!(ports.with_another_key.read_access(&token, NOW).is_ok());
    assert_eq!(ports.tokens.read_access(&token, NOW), Err(InvalidToken));
    let token = ports.with_another_key.issue_refresh(&claims(), ID, validity());
    assert!(ports.with_another_key.read_refresh(&token, NOW).is_ok());
    assert_eq!(ports.tokens.read_refresh(&token, NOW), Err(InvalidToken));
}

pub async fn a_malformed_token_is_refused(ports: TokenPorts) {
    for text in
        ["", " ", ".", "..", "...", "a.b.c", "é", "\0", "null", "e30.e30.", "Bearer x", &"x".repeat(100_000)]
    {
        assert_eq!(ports.tokens.read_access(&access(text), NOW), Err(InvalidToken), "{text:?}");
        assert_eq!(ports.tokens.read_refresh(&refresh(text), NOW), Err(InvalidToken), "{text:?}");
    }
}

pub async fn a_token_that_was_changed_anywhere_is_refused(ports: TokenPorts) {
    let (tokens, claims) = (&ports.tokens, claims());
    let token = tokens.issue_access(&claims, ID, validity());
    let text = token.expose();
    for place in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        // Another letter by its highest bits: the lowest of a last base64 letter may mean nothing.
        changed[place] = if changed[place] == b'A' { b'z' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_eq!(tokens.read_access(&access(&changed), NOW), Err(InvalidToken), "changed at {place}");
    }
    for changed in [
        &text[1..],
        &text[..text.len() - 1],
        &format!("{text}A"),
        &format!("{text}."),
        &format!(" {text}"),
        &format!("{text}\n"),
    ] {
        assert_eq!(tokens.read_access(&access(changed), NOW), Err(InvalidToken), "{changed:?}");
    }
    assert_eq!(tokens.read_access(&token, NOW), Ok(claims));
}

pub async fn tokens_of_two_ids_are_two_tokens(ports: TokenPorts) {
    let (tokens, claims, other) = (&ports.tokens, claims(), TokenId([9; 16]));
    let accesses = [ID, other].map(|id| tokens.issue_access(&claims, id, validity()));
    assert_ne!(accesses[0].expose(), accesses[1].expose());
    let refreshes = [ID, other].map(|id| tokens.issue_refresh(&claims, id, validity()));
    assert_ne!(refreshes[0].expose(), refreshes[1].expose());
    assert_ne!(tokens.fingerprint(&refreshes[0]), tokens.fingerprint(&refreshes[1]));
}

pub async fn a_fingerprint_is_the_tokens_alone(ports: TokenPorts) {
    let token = ports.tokens.issue_refresh(&claims(), ID, validity());
    let again = refresh(token.expose());
    assert_eq!(ports.tokens.fingerprint(&token), ports.tokens.fingerprint(&again));
    assert_eq!(ports.with_another_key.fingerprint(&token), ports.tokens.fingerprint(&token));
    let longer = refresh(&format!("{}A", token.expose()));
    assert_ne!(ports.tokens.fingerprint(&token), ports.tokens.fingerprint(&longer));
}
