//! Those who attack, one file for each kind of attack. Each has addresses of its own, and goes on until the attack ends.

mod bodies;
mod connections;
mod framing;
mod log_ins;
mod metrics;
mod pictures;
mod sign_ups;
mod tokens;
mod uploads;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;

use super::client::Figures;
use super::is_debug;
use super::target::Target;

/// What attackers were answered, by the kind of their attack.
pub(crate) struct Answers(Vec<(&'static str, Figures)>);

type Attack = Pin<Box<dyn Future<Output = Figures> + Send>>;

/// Lets all attack at once, until the end.
pub(crate) async fn all(target: &Arc<Target>) -> Answers {
    let attacks: [(&str, Attack); _] = [
        ("log-ins, right", Box::pin(log_ins::right(Arc::clone(target)))),
        ("log-ins, wrong", Box::pin(log_ins::wrong(Arc::clone(target)))),
        ("log-ins, from one address after another", Box::pin(log_ins::guess(Arc::clone(target)))),
        ("sign-ups", Box::pin(sign_ups::flood(Arc::clone(target)))),
        ("bodies", Box::pin(bodies::worst(Arc::clone(target)))),
        ("slow", Box::pin(bodies::slow(Arc::clone(target)))),
        ("uploads, slow", Box::pin(uploads::slow(Arc::clone(target)))),
        ("uploads, big", Box::pin(uploads::big(Arc::clone(target)))),
        ("pictures", Box::pin(pictures::flood(Arc::clone(target)))),
        ("idle", Box::pin(connections::idle(Arc::clone(target)))),
        ("metrics", Box::pin(metrics::flood(Arc::clone(target)))),
        ("tokens", Box::pin(tokens::forge(Arc::clone(target)))),
        ("framing", Box::pin(framing::tricks(Arc::clone(target)))),
    ];
    let only = std::env::var("ROSTER_ATTACK_ONLY").ok();
    let attacks = attacks
        .into_iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only.split("; ").any(|only| only == *name)));
    let attacks = attacks.map(|(name, attack)| async move {
        (name, tokio::spawn(attack).await.expect("an attacker sees nothing that is wrong"))
    });
    Answers(join_all(attacks).await)
}

/// How many times as many as to a debug build send without end: that needs most of two processors to read what a few send.
fn force() -> u32 {
    if is_debug() { 1 } else { 8 }
}

/// Runs that many at once and adds up what they were answered.
async fn together<F: Future<Output = Figures> + Send + 'static>(attacks: impl Iterator<Item = F>) -> Figures {
    let mut all = Figures::default();
    for figures in join_all(attacks.map(tokio::spawn)).await {
        all.join(figures.expect("an attacker sees nothing that is wrong"));
    }
    all
}

impl Answers {
    /// How often an attack was answered so; none where it was left out.
    pub(crate) fn count(&self, name: &str, status: u16) -> Option<usize> {
        let (_, figures) = self.0.iter().find(|(known, _)| *known == name)?;
        Some(figures.count(status))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, figures)| writeln!(f, "{name}: {figures}"))
    }
}
