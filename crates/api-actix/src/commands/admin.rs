use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use roster_domain::entities::Request;
use roster_domain::use_cases::SignUp;
use roster_domain::values::{Email, Password, Username};

use super::{Failure, say, waiting};
use crate::composition::compose;
use crate::server::StartError;
use roster_settings::Settings;

/// More than any password has, in bytes.
const LONGEST_LINE: u64 = 8 * 1024;

/// Who is to be an admin.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// The admin's email
    #[arg(long, value_parser = Email::parse)]
    email: Email,
    /// The admin's username
    #[arg(long, value_parser = Username::parse)]
    username: Username,
}

/// Makes an admin.
pub(super) fn create(form: Form) -> Result<(), Failure> {
    let settings = Settings::load()?;
    let Form { email, username } = form;
    let password = Password::parse(read_password()?).map_err(|error| Failure::Password(error.to_string()))?;
    let told = format!("{} is an admin in {}", username.as_str(), settings.database.place());
    let form = SignUp { email, username, password };
    waiting(settings.log, async {
        let composition = compose(&settings).await.map_err(StartError::from)?;
        let id =
            composition.roster.create_admin(form, Request::of_roster(composition.ids.request_id())).await?;
        say(&format!("{told}, with the id {id}"))
    })
}

fn read_password() -> Result<String, Failure> {
    let unread = |error: io::Error| Failure::Password(format!("could not be read: {error}"));
    if !io::stdin().is_terminal() {
        return first_line(io::stdin().lock()).map_err(unread);
    }
    let password = rpassword::prompt_password("Password: ").map_err(unread)?;
    if rpassword::prompt_password("Once more: ").map_err(unread)? != password {
        return Err(Failure::Password("was not the same the second time".to_owned()));
    }
    Ok(password)
}

/// The first line, without its end.
fn first_line(input: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.take(LONGEST_LINE).read_line(&mut line)?;
    let end = line.trim_end_matches('\n').len();
    let end = if end < line.len() { line[..end].strip_suffix('\r').map_or(end, str::len) } else { end };
    line.truncate(end);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("secret", "secret")]
    #[case("secret\n", "secret")]
    #[case("secret\r\nmore\n", "secret")]
    #[case("  two words \n", "  two words ")]
    #[case("cr\r", "cr\r")]
    #[case("", "")]
    fn a_password_is_the_first_line_as_it_is(#[case] input: &str, #[case] password: &str) {
        assert_eq!(first_line(input.as_bytes()).unwrap(), password);
    }
}
