use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Arguments, print};
use crate::Failure;

/// Prints the manual page, that of each command behind that of the whole.
pub(super) fn run() -> Result<(), Failure> {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let mut page = Vec::new();
    Man::new(program.clone()).render(&mut page).map_err(Failure::Output)?;
    append_commands(&program, &mut page)?;
    print(&page)
}

fn append_commands(command: &Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    for command in command.get_subcommands() {
        let man = Man::new(command.clone());
        man.render_name_section(page).map_err(Failure::Output)?;
        man.render_synopsis_section(page).map_err(Failure::Output)?;
        man.render_description_section(page).map_err(Failure::Output)?;
        man.render_options_section(page).map_err(Failure::Output)?;
        append_commands(command, page)?;
    }
    Ok(())
}
