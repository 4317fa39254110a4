//! How an email finds its templates.

/// Ties an email to its two templates, which know its fields as `email`.
///
/// It stands in the folder of those who call it, and they stand in no other: askama writes the path of a template
/// relative to the file of the macro, and the compiler reads it relative to the file of the caller.
macro_rules! email_templates {
    ($words:ident, $text:tt, $html:tt) => {
        impl EmailBody for $words<'_> {
            fn text(&self) -> askama::Result<String> {
                #[derive(Template)]
                #[template(path = $text)]
                struct Text<'a> {
                    email: &'a $words<'a>,
                }
                Text { email: self }.render()
            }

            fn html(&self, subject: &str) -> askama::Result<String> {
                #[derive(Template)]
                #[template(path = $html)]
                struct Html<'a> {
                    email: &'a $words<'a>,
                    subject: &'a str,
                }
                Html { email: self, subject }.render()
            }
        }
    };
}
