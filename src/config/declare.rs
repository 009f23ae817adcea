//! Macros that make three things from one declaration of a section or table: the struct, the descriptions of the keys,
//! and the reader. The description of a key is always the doc comment of the key's field.

/// Defines a section of the configuration: a struct with a field for each key, the keys' descriptions, and a reader.
/// The doc comment of a field is also the key's text in the reference.
///
/// `= default TOML` is the default of a key, and `= example TOML` is the example for a key without a default. `read
/// CHECK` checks the key's value, and `each CHECK` checks each item of a list.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident in ($section:literal $(, $table:expr)?) {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $given:ident $toml:literal $(, $how:ident $check:expr)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $($(#[doc = $doc])+ $vis $key: $type,)+
        }

        impl $name {
            pub(super) const SECTION: crate::config::describe::Section = crate::config::describe::Section {
                name: $section,
                about: concat!($($about),+),
                keys: &[$(section!(@key $given concat!($section, ".", stringify!($key)), $type, $toml, concat!($($doc),+))),+],
                table: section!(@table $($table)?),
            };

            fn read_keys(reader: &mut crate::config::reader::Reader<'_>) -> Option<Self> {
                $(let $key = section!(@read $given reader, concat!($section, ".", stringify!($key)) $(, $how $check)?);)+
                Some(Self { $($key: $key?),+ })
            }
        }
    };
    (@table) => { None };
    (@table $table:expr) => { Some($table) };
    (@key default $path:expr, $type:ty, $toml:literal, $doc:expr) => {
        crate::config::describe::Key::set($path, <$type as crate::config::describe::Described>::KIND, $toml, $doc)
    };
    (@key example $path:expr, $type:ty, $toml:literal, $doc:expr) => {
        crate::config::describe::Key::unset($path, <$type as crate::config::describe::Described>::KIND, $toml, $doc)
    };
    (@read default $reader:ident, $path:expr) => { $reader.read($path, crate::config::reader::any) };
    (@read default $reader:ident, $path:expr, read $check:expr) => { $reader.read($path, $check) };
    (@read default $reader:ident, $path:expr, each $check:expr) => { $reader.each($path, $check) };
    (@read example $reader:ident, $path:expr) => { $reader.optional($path, crate::config::reader::any) };
    (@read example $reader:ident, $path:expr, read $check:expr) => { $reader.optional($path, $check) };
}

/// Defines a table that a section may contain several times, such as `[clients.NAME]`: a struct that serde reads, and
/// the descriptions of the table's keys. `= TOML` is the default of a key that is not an `Option`. A key that has no
/// default and is not an `Option` is required.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        struct $name:ident in $heading:literal {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty $(= $default:literal)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($(#[doc = $doc])+ $(#[doc = concat!("Default: ", $default)] #[serde(default)])? $key: $type,)+
        }

        impl $name {
            const TABLE: &crate::config::describe::Table = &crate::config::describe::Table {
                heading: $heading,
                about: concat!($($about),+),
                keys: &[$(table!(@key stringify!($key), $type, concat!($($doc),+) $(, $default)?)),+],
            };
        }
    };
    (@key $name:expr, $type:ty, $doc:expr, $default:literal) => {
        crate::config::describe::Key::set($name, <$type as crate::config::describe::Described>::KIND, $default, $doc)
    };
    (@key $name:expr, $type:ty, $doc:expr) => {{
        use crate::config::describe::{Described, Key};
        if <$type as Described>::IS_OPTIONAL {
            Key::unset($name, <$type as Described>::KIND, "", $doc)
        } else {
            Key::required($name, <$type as Described>::KIND, $doc)
        }
    }};
}

pub(super) use {section, table};
