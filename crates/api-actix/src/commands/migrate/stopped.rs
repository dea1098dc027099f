use roster_domain::{Chain, Error};
use roster_transfer::TransferError;

use crate::commands::Failure;

/// Why a migration stopped, and what to do about it, in the words of its arguments.
pub(super) fn stopped(error: TransferError) -> Failure {
    let why = match error {
        TransferError::Progress(error) => return Failure::Output(error),
        TransferError::Unavailable(error) => {
            let error = Error::from(error);
            format!("{}; once that is well, another run goes on from here", Chain(&error))
        }
        TransferError::Stranger(id) => format!(
            "--to holds users who are not in --from, such as {id}: give an empty database; nothing was changed"
        ),
        TransferError::NameTaken(_) => format!(
            "--to: {error}. Was one of them renamed since an earlier run? Then give an empty database. Otherwise rename one of \
             them in --from"
        ),
        TransferError::InTargetAlone(id) => format!(
            "user {id} is in --to and not in --from: did a service on one of them change it meanwhile? Stop that, and give \
             an empty database"
        ),
        TransferError::Unequal(id) => format!(
            "user {id} is not the same in both: if a service on one of them changed it meanwhile, stop that and run this \
             again"
        ),
        TransferError::UnequalImage(_) => error.to_string(),
    };
    Failure::Migration(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_is_advised_where_it_writes_what_differs_and_not_where_it_is_refused() {
        let id = "67a99413dc65a0145ee73981".parse().unwrap();
        for (error, advised) in
            [(TransferError::Unequal(id), true), (TransferError::InTargetAlone(id), false)]
        {
            assert_eq!(stopped(error).to_string().contains("run this again"), advised);
        }
    }
}
