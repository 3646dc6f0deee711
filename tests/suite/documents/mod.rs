//! README, help and tables say what the program does.

mod editors;
mod examples;
mod exit_codes;
mod help;
mod new_files;
mod readme;
