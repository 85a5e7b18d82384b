//! `uhop completions` and `uhop man`: the command line described for shells and for man.

use std::fs;
use std::io::Write as _;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use uhop_data::OutputFile;

use crate::args::{Cli, CompletionsArgs, ManArgs, OutputArgs};
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Data on stdout; there is nothing else to say.
fn print(bytes: Vec<u8>) -> Result<(), Failure> {
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::Ours { message: format!("not UTF-8: {error}") })?;
    Console::new(OutputArgs::default()).data(&text)
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    print(script(args.shell))
}

pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut pages = pages()?;
    let Some(folder) = &args.out else { return print(pages.swap_remove(0).roff) };
    fs::create_dir_all(folder).map_err(|error| Failure::unwritable(folder, &error))?;
    interrupt::hold();
    for Page { file_name, roff } in pages {
        interrupt::check()?;
        let path = folder.join(file_name);
        let mut file = OutputFile::create(&path)?;
        file.write_all(&roff).map_err(|error| Failure::unwritable(&path, &error))?;
        file.commit()?;
    }
    Ok(())
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "uhop", &mut script);
    script
}

/// A manual page, such as `uhop-fit.1`.
struct Page {
    file_name: String,
    roff: Vec<u8>,
}

/// The page of the program, then that of each verb, and of each verb's own behind it.
fn pages() -> Result<Vec<Page>, Failure> {
    let command = described();
    verbs(&command)
        .into_iter()
        .map(|verb| {
            let command = verb.clone();
            let man = Man::new(command);
            let mut roff = Vec::new();
            man.render(&mut roff)
                .map_err(|error| Failure::Ours { message: format!("roff: {error}") })?;
            Ok(Page { file_name: man.get_filename(), roff })
        })
        .collect()
}

/// A command, then each of its verbs with theirs.
fn verbs(command: &clap::Command) -> Vec<&clap::Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(verbs)).collect()
}

/// The command line with the full names of its verbs.
fn described() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn long_options(command: &clap::Command) -> impl Iterator<Item = &str> {
        command.get_arguments().filter_map(clap::Arg::get_long)
    }

    #[test]
    fn completions_know_every_verb_and_long_option() {
        let command = described();
        for &shell in Shell::value_variants() {
            let script = String::from_utf8(script(shell)).unwrap();
            let prefix = if shell == Shell::Fish { "-l " } else { "--" };
            for verb in verbs(&command) {
                assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
                for option in long_options(verb) {
                    assert!(script.contains(&format!("{prefix}{option}")), "{shell}: {option}");
                }
            }
        }
    }

    #[test]
    fn the_manual_knows_every_verb_and_long_option() {
        let command = described();
        let pages = pages().unwrap();
        let verbs = verbs(&command);
        assert_eq!(pages.len(), verbs.len());
        assert!(verbs.len() > 1 + command.get_subcommands().count(), "verbs of verbs are there");
        let roff = |page: &Page| String::from_utf8(page.roff.clone()).unwrap();
        for verb in command.get_subcommands() {
            assert!(roff(&pages[0]).contains(&format!("uhop\\-{}(1)", verb.get_name())));
        }
        for (verb, page) in verbs.into_iter().zip(&pages) {
            let own = verb.get_name();
            let ending = if own == "uhop" { "uhop.1".to_owned() } else { format!("-{own}.1") };
            assert!(page.file_name.starts_with("uhop") && page.file_name.ends_with(&ending));
            for option in long_options(verb) {
                let name = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(roff(page).contains(&name), "{}: {name}", page.file_name);
            }
        }
    }
}
