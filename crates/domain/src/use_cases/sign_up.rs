use super::Roster;
use crate::Error;
use crate::entities::{NewUser, Request};
use crate::ports::{AccessClaims, CreateError};
use crate::use_cases::AdminSignUp;
use crate::values::{AccessToken, ClientAddress, Email, Password, Role, UserId, Username};

/// How many free usernames are suggested in the place of a taken one.
const SUGGESTIONS: usize = 5;

/// What somebody signs up with.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Their email.
    pub email: Email,
    /// Their username.
    pub username: Username,
    /// Their password.
    pub password: Password,
}

/// A sign-up whose password is hashed, and that is not written yet.
#[derive(Debug)]
pub struct Prepared {
    user: NewUser,
    /// Whose doing it is, where not the new user's own.
    admin: Option<UserId>,
    /// Whether nobody was needed, there having been no admin.
    as_first_admin: bool,
    /// Whether somebody came with a valid token.
    is_known: bool,
}

impl Roster {
    /// Creates a regular user: [`prepare_sign_up`](Self::prepare_sign_up) and [`create_user`](Self::create_user).
    pub async fn sign_up(&self, form: SignUp, request: Request) -> Result<(), Error> {
        let prepared = self.prepare_sign_up(form, request).await?;
        self.create_user(prepared, request).await
    }

    /// The first half of a sign-up. It writes nothing: dropped, it waits no longer for its turn to hash.
    pub async fn prepare_sign_up(&self, form: SignUp, request: Request) -> Result<Prepared, Error> {
        self.count_sign_up(request)?;
        let user = self.new_user(form, Role::Regular, request).await?;
        Ok(Prepared { user, admin: None, as_first_admin: false, is_known: false })
    }

    /// Who wants an admin created, as far as the token says, before anything else of the request is looked at.
    ///
    /// # Errors
    /// [`Error::NotAuthenticated`] where it takes an admin and the token is not valid.
    pub fn admin_sign_up_caller(&self, token: Option<&AccessToken>) -> Result<Option<AccessClaims>, Error> {
        match self.rules.admin_sign_up {
            AdminSignUp::Closed => self.authenticate(token).map(Some),
            AdminSignUp::Open | AdminSignUp::Bootstrap => Ok(self.authenticate(token).ok()),
        }
    }

    /// Creates an admin, where the rules let the caller: [`prepare_admin_sign_up`](Self::prepare_admin_sign_up) and
    /// [`create_user`](Self::create_user).
    pub async fn admin_sign_up(
        &self,
        caller: Option<AccessClaims>,
        form: SignUp,
        request: Request,
    ) -> Result<(), Error> {
        let prepared = self.prepare_admin_sign_up(caller, form, request).await?;
        self.create_user(prepared, request).await
    }

    /// The first half of an admin's sign-up, as of [any other](Self::prepare_sign_up): here callers are refused.
    pub async fn prepare_admin_sign_up(
        &self,
        caller: Option<AccessClaims>,
        form: SignUp,
        request: Request,
    ) -> Result<Prepared, Error> {
        let policy = self.rules.admin_sign_up;
        let as_first_admin = policy == AdminSignUp::Bootstrap && !self.ports.accounts.has_had_admin().await?;
        let admin = if as_first_admin || policy == AdminSignUp::Open {
            None
        } else {
            Some(self.admin(caller.ok_or(Error::NotAuthenticated)?).await?.id)
        };

        if admin.is_none() {
            self.count_sign_up(request)?;
        }
        let user = self.new_user(form, Role::Admin, request).await?;
        Ok(Prepared { user, admin, as_first_admin, is_known: caller.is_some() })
    }

    /// Creates an admin for whoever runs Roster: whom the rules let sign up as one is not asked.
    pub async fn create_admin(&self, form: SignUp, request: Request) -> Result<UserId, Error> {
        let user = self.new_user(form, Role::Admin, request).await?;
        let id = user.id;
        let prepared = Prepared { user, admin: None, as_first_admin: false, is_known: false };
        self.create_user(prepared, request).await.map(|()| id)
    }

    /// The second half of every sign-up.
    pub async fn create_user(&self, prepared: Prepared, request: Request) -> Result<(), Error> {
        let Prepared { user, admin, as_first_admin, is_known } = prepared;
        let actor = admin.unwrap_or(user.id);
        let change = self.change(Some(actor), request);
        let created = if as_first_admin {
            self.ports.accounts.create_first_admin(&user, &change).await
        } else {
            self.ports.accounts.create(&user, &change).await
        };
        match created {
            Ok(()) => {
                let client = request.client.map(tracing::field::display);
                let role = user.role.as_str();
                tracing::info!(
                    event = "signed up",
                    user = %user.id,
                    role,
                    by = %actor,
                    client,
                    %request,
                    "a user signed up"
                );
                Ok(())
            }
            Err(CreateError::EmailTaken) => Err(Error::EmailTaken),
            Err(CreateError::UsernameTaken) => {
                Err(Error::UsernameTaken { suggestions: self.suggest(&user.username).await? })
            }
            // Another was first, a moment ago; whoever signs up as the first admin has no right of their own.
            Err(CreateError::AdminExists) if is_known => Err(Error::Forbidden),
            Err(CreateError::AdminExists) => Err(Error::NotAuthenticated),
            Err(CreateError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Counts a sign-up for whose client nobody answers.
    fn count_sign_up(&self, request: Request) -> Result<(), Error> {
        let client = request.client.map(ClientAddress::client);
        let counted = self.limiter.sign_up(client, self.ports.clock.now());
        counted.map_err(|too_many| Self::limited(too_many, request))
    }

    async fn new_user(&self, form: SignUp, role: Role, request: Request) -> Result<NewUser, Error> {
        let asker = request.asker(form.email.clone());
        let password_hash = self.ports.hasher.hash(form.password, asker).await?;
        let id = self.ports.ids.user_id();
        Ok(NewUser { id, email: form.email, username: form.username, role, password_hash })
    }

    /// Five free usernames: the taken one and two letters, or more where too few of those are free.
    async fn suggest(&self, taken: &Username) -> Result<Vec<Username>, Error> {
        let mut free: Vec<Username> = Vec::with_capacity(SUGGESTIONS);
        for letters in 2..Username::MAX {
            // A long name gives way to the letters, so that the whole can be signed up with.
            let stem: String = taken.as_str().chars().take(Username::MAX - letters).collect();
            let mut candidates: Vec<Username> = Vec::with_capacity(4 * SUGGESTIONS);
            for _ in 0..candidates.capacity() {
                let name = format!("{stem}{}", self.ports.ids.letters(letters));
                candidates.extend(
                    Username::parse(&name)
                        .ok()
                        .filter(|name| !candidates.contains(name) && !free.contains(name)),
                );
            }
            free.extend(self.ports.accounts.free_usernames(&candidates).await?);
            if free.len() >= SUGGESTIONS {
                free.truncate(SUGGESTIONS);
                break;
            }
        }
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::testing::{ANN, BEN, CLAIMS, REQUEST, World};
    use super::*;
    use crate::ports::HashError;
    use crate::values::PasswordHash;

    fn form(username: &str) -> SignUp {
        SignUp {
            email: Email::parse("ben@example.com").unwrap(),
            username: Username::parse(username).unwrap(),
            password: Password::parse("secret".to_owned()).unwrap(),
        }
    }

    fn hashing(mut world: World) -> World {
        world.hasher.expect_hash().returning(|_, _| Ok(PasswordHash::new("hash".to_owned())));
        world
    }

    #[tokio::test]
    async fn who_signs_up_is_a_regular_user() {
        let mut world = hashing(World::new());
        world
            .accounts
            .expect_create()
            .withf(|user, change| user.id == BEN && user.role == Role::Regular && change.actor == Some(BEN))
            .times(1)
            .returning(|_, _| Ok(()));
        world.roster().sign_up(form("ben"), REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_created_without_a_hash() {
        let mut world = World::new();
        world.hasher.expect_hash().returning(|_, _| Err(HashError::Overloaded));
        assert!(matches!(world.roster().sign_up(form("ben"), REQUEST).await, Err(Error::Overloaded)));
    }

    #[rstest]
    #[case::a_short_name("ben")]
    #[case::the_longest_name(&"b".repeat(64))]
    #[tokio::test]
    async fn for_a_taken_username_five_free_ones_are_suggested_which_can_be_signed_up_with(
        #[case] name: &str,
    ) {
        let mut world = hashing(World::new());
        world.accounts.expect_create().returning(|_, _| Err(CreateError::UsernameTaken));
        let mut count = 0_u8;
        world.ids.expect_letters().returning(move |letters| {
            count += 1;
            char::from(b'a' + count % 26).to_string().repeat(letters)
        });
        // Every other candidate is free.
        world
            .accounts
            .expect_free_usernames()
            .returning(|names| Ok(names.iter().step_by(2).cloned().collect()));
        let Err(Error::UsernameTaken { suggestions }) = world.roster().sign_up(form(name), REQUEST).await
        else {
            panic!("the username is taken");
        };
        assert_eq!(suggestions.len(), 5);
        for suggestion in &suggestions {
            assert_eq!(Username::parse(suggestion.as_str()).as_ref(), Ok(suggestion));
            assert_eq!(suggestions.iter().filter(|other| *other == suggestion).count(), 1);
        }
    }

    #[tokio::test]
    async fn where_two_letters_are_not_enough_suggestions_have_more() {
        let mut world = hashing(World::new());
        world.accounts.expect_create().returning(|_, _| Err(CreateError::UsernameTaken));
        let mut count = 0_u32;
        world.ids.expect_letters().returning(move |letters| {
            count += 1;
            (0..letters)
                .map(|place| {
                    char::from(
                        b'a' + u8::try_from(count / 26_u32.pow(u32::try_from(place).unwrap()) % 26).unwrap(),
                    )
                })
                .collect()
        });
        world.accounts.expect_free_usernames().returning(|names| {
            Ok(names.iter().filter(|name| name.as_str().len() > "benxx".len()).cloned().collect())
        });
        let Err(Error::UsernameTaken { suggestions }) = world.roster().sign_up(form("ben"), REQUEST).await
        else {
            panic!("the username is taken");
        };
        assert!(
            suggestions.len() == 5 && suggestions.iter().all(|name| name.as_str().len() == "benxxx".len())
        );
    }

    #[tokio::test]
    async fn whoever_runs_roster_makes_admins_whatever_the_rule_for_sign_ups_is() {
        for policy in [AdminSignUp::Open, AdminSignUp::Bootstrap, AdminSignUp::Closed] {
            let mut world = hashing(World::new());
            world.admin_sign_up = policy;
            world
                .accounts
                .expect_create()
                .withf(|user, _| user.id == BEN && user.role == Role::Admin)
                .times(1)
                .returning(|_, _| Ok(()));
            assert_eq!(world.roster().create_admin(form("ben"), REQUEST).await.unwrap(), BEN);
        }
    }

    #[tokio::test]
    async fn where_it_is_open_anybody_becomes_an_admin() {
        let mut world = hashing(World::new());
        world
            .accounts
            .expect_create()
            .withf(|user, _| user.role == Role::Admin)
            .times(1)
            .returning(|_, _| Ok(()));
        world.roster().admin_sign_up(None, form("ben"), REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn in_bootstrap_the_first_admin_needs_nobody() {
        let mut world = hashing(World::new());
        world.admin_sign_up = AdminSignUp::Bootstrap;
        world.accounts.expect_has_had_admin().returning(|| Ok(false));
        world.accounts.expect_create_first_admin().times(1).returning(|_, _| Ok(()));
        world.roster().admin_sign_up(None, form("ben"), REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn of_two_first_admins_the_second_is_refused() {
        let mut world = hashing(World::new());
        world.admin_sign_up = AdminSignUp::Bootstrap;
        world.accounts.expect_has_had_admin().returning(|| Ok(false));
        world.accounts.expect_create_first_admin().returning(|_, _| Err(CreateError::AdminExists));
        let signed_up = world.roster().admin_sign_up(None, form("ben"), REQUEST).await;
        assert!(matches!(signed_up, Err(Error::NotAuthenticated)));
    }

    #[rstest]
    #[case(AdminSignUp::Bootstrap)]
    #[case(AdminSignUp::Closed)]
    #[tokio::test]
    async fn once_it_is_closed_only_admins_make_admins(#[case] policy: AdminSignUp) {
        let closed = |mut world: World| {
            world.admin_sign_up = policy;
            world.accounts.expect_has_had_admin().returning(|| Ok(true));
            hashing(world)
        };
        let nobody = closed(World::new()).roster().admin_sign_up(None, form("ben"), REQUEST).await;
        assert!(matches!(nobody, Err(Error::NotAuthenticated)));

        let regular = closed(World::with_caller(Role::Regular));
        let regular = regular.roster().admin_sign_up(Some(CLAIMS), form("ben"), REQUEST).await;
        assert!(matches!(regular, Err(Error::Forbidden)));

        let mut admin = closed(World::with_caller(Role::Admin));
        admin
            .accounts
            .expect_create()
            .withf(|user, change| user.role == Role::Admin && change.actor == Some(ANN))
            .times(1)
            .returning(|_, _| Ok(()));
        admin.roster().admin_sign_up(Some(CLAIMS), form("ben"), REQUEST).await.unwrap();
    }
}
