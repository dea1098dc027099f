use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::{Arguments, Failure, print};

/// Prints the manual page of the command of these names, or that of the program where there are none.
pub(super) fn run(names: &[String]) -> Result<(), Failure> {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let mut command = &program;
    for name in names {
        let found = command.get_subcommands().find(|found| found.get_name() == name);
        command = found.ok_or_else(|| Failure::Usage(format!("there is no command {}", names.join(" "))))?;
    }
    let mut page = Vec::new();
    render(command, &mut page).map_err(Failure::Output)?;
    print(&page)
}

fn render(command: &Command, page: &mut Vec<u8>) -> Result<(), std::io::Error> {
    let man = Man::new(command.clone()).source(concat!("roster ", env!("CARGO_PKG_VERSION")));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    // Rendered by itself, this would stand under the heading EXTRA.
    if let Some(notes) = command.get_after_help() {
        let mut section = Roff::default();
        section.control("SH", ["NOTES"]);
        for paragraph in notes.to_string().split("\n\n") {
            section.control("PP", []).text([roman(paragraph)]);
        }
        section.to_writer(page)?;
    }
    if command.get_version().is_some() {
        man.render_version_section(page)?;
    }
    Ok(())
}
