//! Values that are written down as text, whatever the format around them.

/// What serde's `try_from = "String", into = "String"` wants of a type that can be read from text
/// (`FromStr` with a sentence as its error) and shown as text.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

pub(crate) use as_text;
