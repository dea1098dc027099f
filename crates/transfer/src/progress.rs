use std::io;

/// What is done to the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// They are written to the target.
    Copy,
    /// They are read from both stores, and compared.
    Comparison,
}

/// Whoever is told how far a transfer has come.
pub trait Progress {
    /// A phase begins, for so many accounts.
    fn begin(&mut self, phase: Phase, total: u64);

    /// So many more accounts are done. The transfer stops where that can't be told.
    fn advance(&mut self, by: u64) -> io::Result<()>;

    /// The phase is over.
    fn end(&mut self);
}
