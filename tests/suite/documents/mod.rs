//! README, help and tables say what the program does.

mod editors;
mod exit_codes;
mod help;
mod new_files;
mod readme;
