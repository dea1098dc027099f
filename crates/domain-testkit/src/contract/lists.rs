//! Which tests belong to which contract: the one place where they are listed.

/// Expands to the contracts of all ports of one store, kept together.
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr) => {
        $crate::accounts_contract!($fresh);
        $crate::directory_contract!($fresh);
        $crate::sessions_contract!($fresh);
        $crate::profile_images_contract!($fresh);
        $crate::trash_contract!($fresh);
        $crate::archive_contract!($fresh);
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Accounts`](roster_domain::ports::Accounts).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! accounts_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            creation {
                a_user_is_created_as_it_was_given
                a_live_users_email_is_refused
                a_live_users_username_is_refused
                names_are_compared_by_simple_case_folding
                of_two_taken_names_the_email_is_named
                a_trashed_users_names_stay_taken
                a_purged_users_names_are_free
                a_refused_user_leaves_nothing_behind
                free_usernames_are_told_in_the_order_given
                there_has_been_no_admin_in_an_empty_store
                the_first_admin_is_created_once
                a_first_admin_is_refused_for_the_admin_before_the_names
                a_first_admins_names_are_checked_too
                an_admin_who_was_purged_has_been_there
                an_imported_admin_has_been_there
                of_two_equal_sign_ups_exactly_one_succeeds
                of_sixteen_equal_sign_ups_exactly_one_succeeds
                of_two_sign_ups_with_one_username_exactly_one_succeeds
                of_two_first_admins_exactly_one_succeeds
            }
            callers {
                a_caller_is_read_with_its_epoch_and_session
                a_caller_who_is_not_live_is_none
                a_callers_epoch_is_raised_by_a_deletion
                whom_a_request_names_is_read_where_live
                a_caller_may_name_themself
            }
            editing {
                an_edit_changes_what_it_names_and_tells_who_and_when
                an_edit_leaves_sessions_hash_role_and_image_alone
                names_that_were_edited_away_are_free_and_the_new_ones_taken
                ones_own_names_are_no_conflict
                an_edit_to_another_users_names_is_refused_and_changes_nothing
                of_two_taken_names_an_edit_names_the_email
                an_edit_to_a_trashed_users_names_is_refused
                a_user_who_is_not_live_is_not_edited
                of_two_edits_to_one_email_exactly_one_succeeds
                an_edit_beside_a_deletion_comes_first_or_is_refused
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Directory`](roster_domain::ports::Directory).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! directory_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            directory {
                an_empty_store_lists_nobody
                users_are_listed_by_id_whatever_the_order_they_came_in
                pages_cover_every_user_once
                a_page_behind_the_last_is_empty_and_tells_the_total
                the_total_tells_of_what_was_just_written
                a_trashed_user_is_not_listed
                a_search_finds_every_name_that_contains_the_term
                a_search_looks_for_the_pieces_of_a_term_together
                a_search_is_literal
                a_search_does_not_regard_case
                a_search_takes_letters_of_any_script_one_by_one
                a_search_takes_the_longest_term
                a_search_has_pages_of_its_own
                a_search_does_not_look_into_emails
                a_search_does_not_see_the_trash
                a_search_finds_a_renamed_user_by_the_new_name_alone
                a_search_finds_an_account_that_was_imported_anew_by_the_new_name_alone
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Sessions`](roster_domain::ports::Sessions).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! sessions_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            sessions {
                credentials_are_those_of_the_emails_user
                credentials_are_looked_up_by_the_emails_key
                a_user_in_the_trash_has_no_credentials
                a_session_is_kept_as_it_was_opened
                a_session_that_is_not_named_or_not_there_has_no_refresh_token
                another_users_session_is_none_of_the_users
                a_user_who_is_not_live_has_no_session_state
                no_session_starts_for_a_user_who_is_not_live
                no_session_starts_under_another_epoch_and_the_hash_stays
                an_outdated_hash_is_replaced_with_the_log_in
                a_hash_that_has_changed_meanwhile_is_left_alone_and_the_session_starts
                failed_log_ins_are_counted_until_one_succeeds
                the_dearest_hash_is_never_forgotten
                of_many_failed_log_ins_at_once_each_is_counted
                the_last_sixteen_clients_that_logged_in_are_known
                log_ins_of_a_user_who_is_not_live_are_not_counted
                another_users_log_ins_are_none_of_the_users
                with_the_seventeenth_session_the_oldest_ends
                of_many_log_ins_at_once_sixteen_sessions_live
                a_refresh_beside_the_log_in_that_ends_its_session_comes_first_or_is_refused
                no_session_outlives_a_deletion_at_the_same_time
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`ProfileImages`](roster_domain::ports::ProfileImages).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! profile_images_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            profile_images {
                a_reserved_image_becomes_the_users_and_is_not_due_any_more
                the_image_before_is_due_at_once
                an_image_keeps_the_name_of_its_store
                an_image_keeps_its_checksum_until_another_takes_its_place
                one_key_in_two_stores_is_two_images
                an_image_that_was_not_reserved_does_not_become_the_users
                a_reservation_serves_once
                an_image_reserved_for_one_user_does_not_become_anothers
                a_user_who_is_not_live_gets_no_image_and_the_reservation_stays
                a_reservation_is_due_when_its_time_has_come
                an_image_that_is_being_removed_does_not_become_the_users
                an_image_before_that_is_being_removed_does_not_become_the_users_again
                a_removal_is_due_to_everybody_until_it_is_done
                a_removal_that_is_not_there_is_done_already
                a_removal_that_is_done_leaves_the_others
                removals_are_read_in_batches_that_cover_each_once
                removals_are_read_on_behind_one_that_is_done
                only_removals_from_the_store_that_is_asked_for_are_due
                an_image_that_is_taken_away_is_no_users_and_due_at_once
                an_original_that_is_taken_away_is_no_users_and_never_due
                who_has_no_image_is_told_from_who_is_not_live
                of_two_who_take_an_image_away_exactly_one_succeeds
                an_image_taken_away_beside_a_new_one_leaves_none_behind
                of_setting_an_image_and_removing_it_exactly_one_happens
                of_two_images_set_at_once_one_stays_and_the_other_is_due
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Trash`](roster_domain::ports::Trash).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! trash_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            trash {
                a_deletion_is_kept_with_who_when_and_why
                a_deletion_ends_the_sessions_and_raises_the_epoch
                a_user_in_the_trash_is_told_from_one_who_does_not_exist
                of_two_deletions_exactly_one_succeeds
                many_are_deleted_each_as_one_is
                of_many_those_deleted_now_are_returned_in_the_order_given
                a_thousand_are_deleted_at_once
                of_many_deletions_at_once_each_user_is_deleted_by_exactly_one
                the_trash_is_listed_by_the_entries_ids
                a_user_comes_back_as_it_was
                a_restore_keeps_the_raised_epoch
                a_live_user_is_not_restored_nor_is_an_unknown_one
                of_two_restores_exactly_one_succeeds
                a_deletion_that_is_given_up_happens_whole_or_not_at_all
            }
            purge {
                a_purged_user_is_gone
                only_a_user_in_the_trash_is_purged
                a_purged_users_image_is_due_at_once
                a_purged_users_image_is_due_also_where_the_names_are_anothers_since
                of_a_restore_and_a_purge_exactly_one_succeeds
                of_two_purges_exactly_one_succeeds
                those_from_before_the_cutoff_are_purged_oldest_first
                those_from_before_the_cutoff_are_counted_as_they_are_purged
                who_was_restored_does_not_expire
                what_expires_is_purged_whole
                of_several_purges_of_the_expired_each_user_is_returned_by_exactly_one
                of_a_restore_and_a_purge_of_the_expired_exactly_one_succeeds
                an_image_set_beside_a_deletion_and_purge_is_left_to_removals
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`AccountArchive`](roster_domain::ports::AccountArchive).
///
/// Takes an `async fn() -> (Stores, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! archive_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            archive {
                an_empty_store_has_no_accounts
                the_dearest_hash_of_imported_accounts_is_remembered
                an_image_whose_checksum_alone_differs_is_not_left_to_be_removed
                an_account_is_read_as_it_was_written
                an_account_is_read_as_it_became
                accounts_are_read_in_id_order_in_batches_the_trash_included
                a_batch_may_be_written_again
                many_long_names_are_written_in_one_batch
                an_account_that_is_there_is_replaced_whole
                the_image_of_an_account_that_is_replaced_is_left_to_be_removed
                an_imported_account_works_like_any_other
                an_account_imported_into_the_trash_is_restored_or_purged
                who_is_imported_into_the_trash_is_spared_for_a_day_however_old_the_entry_is
                who_is_imported_into_the_trash_again_has_arrived_there_again
                who_is_restored_and_deleted_again_has_not_arrived_from_elsewhere
                an_account_whose_names_another_has_is_refused
                of_a_refused_batch_each_account_is_written_whole_or_not_at_all
                two_accounts_of_one_name_in_a_batch_are_refused
                imported_names_are_taken
                of_an_import_and_a_sign_up_with_one_name_exactly_one_succeeds
                a_batch_that_is_written_twice_at_once_is_written_once
            }
            legacy {
                a_legacy_account_is_read_as_it_was_written
                a_legacy_account_is_listed_and_read
                a_legacy_account_is_searched
                a_long_legacy_name_is_found_by_any_piece_of_its_beginning
                a_legacy_account_is_edited
                a_legacy_account_logs_in_and_gets_an_image
                a_legacy_account_is_deleted_restored_and_purged
                an_original_image_is_kept_as_it_was
                an_image_takes_an_originals_place_and_an_import_puts_it_back
                a_legacy_name_in_mixed_case_is_taken_in_lower_case
                a_legacy_user_may_edit_its_names_to_their_lower_case
                two_legacy_accounts_whose_names_differ_in_case_alone_conflict
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`ImageStore`](roster_domain::ports::ImageStore).
///
/// Takes an `async fn() -> (Arc<dyn ImageStore>, Guard)` that makes a fresh, empty store.
#[macro_export]
macro_rules! image_store_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            images {
                an_image_is_read_as_it_was_stored
                an_image_that_is_not_there_is_none
                an_image_that_is_not_there_is_removed_already
                an_image_touches_no_other
                keys_that_differ_in_owner_or_format_alone_are_two_images
                an_upload_is_stored_twice_at_once
                an_upload_whose_file_ends_early_is_not_stored
                an_upload_that_is_given_up_leaves_the_whole_image_or_none
                a_reader_that_goes_away_takes_nothing_along
                images_are_stored_at_once
                an_image_is_read_by_many_at_once
                the_last_image_removed_makes_room_for_the_next
                what_is_no_original_of_the_store_is_none_and_no_address_is_asked
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`PasswordHasher`](roster_domain::ports::PasswordHasher).
///
/// Takes an `async fn() -> (Arc<dyn PasswordHasher>, Guard)`; the cheaper its hashes, the sooner it is done.
#[macro_export]
macro_rules! hasher_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            hasher {
                a_password_matches_its_hash
                another_password_does_not_match
                passwords_that_differ_anywhere_are_told_apart
                without_a_hash_nothing_matches
                a_hash_that_can_not_be_read_matches_nothing
                of_many_at_once_each_is_answered_right_or_refused
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`AccountSource`](roster_domain::ports::AccountSource).
///
/// Takes an `async fn() -> (Sourced, Guard)`.
#[macro_export]
macro_rules! source_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            source {
                a_source_has_all_accounts_in_id_order_in_batches
                a_source_has_all_removals_in_batches_and_begins_none
                a_source_tells_of_an_admin_who_has_gone
                a_source_counts_who_is_past_the_retention
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Database`](roster_domain::ports::Database) and
/// [`Store`](roster_domain::ports::Store).
///
/// Takes an `async fn() -> (Databases, Guard)`.
#[macro_export]
macro_rules! database_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            database {
                a_database_that_is_not_there_is_not_made_by_a_look
                a_database_that_nobody_is_in_yet_has_no_source
                who_is_in_a_database_is_told_and_read_and_nothing_is_changed
                what_was_written_is_there_at_the_next_opening
                who_opens_a_database_at_once_shares_it
                a_database_is_told_from_another
                a_probe_writes_nothing
                an_upkeep_may_run_any_number_of_times_at_once
                what_a_newer_version_has_written_is_refused_and_left_as_it_is
                a_store_that_a_newer_version_has_written_since_fails_its_probe
            }
        }
    };
}

/// Expands to one `#[test]` for each test of what the batches of [`Trash`](roster_domain::ports::Trash) tell where the store fails.
///
/// Takes an `async fn() -> (Failing, Guard)`.
#[macro_export]
macro_rules! interrupted_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            interrupted {
                deletions_that_the_store_ends_early_are_told_user_by_user
                purges_that_the_store_ends_early_are_told_user_by_user
            }
        }
    };
}

/// Expands to one `#[test]` for each test of the contract of [`Tokens`](roster_domain::ports::Tokens).
///
/// Takes an `async fn() -> (TokenPorts, Guard)`.
#[macro_export]
macro_rules! tokens_contract {
    ($fresh:expr) => {
        $crate::contract_tests! { $fresh;
            tokens {
                a_token_is_read_as_it_was_issued
                an_access_token_lives_until_it_expires_without_leeway
                a_refresh_token_lives_until_it_expires_without_leeway
                a_token_of_the_other_kind_is_refused
                a_token_signed_with_another_key_is_refused
                a_malformed_token_is_refused
                a_token_that_was_changed_anywhere_is_refused
                tokens_of_two_ids_are_two_tokens
                a_fingerprint_is_the_tokens_alone
            }
        }
    };
}

/// Expands to the tests themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($fresh:expr; $($module:ident { $($test:ident)* })*) => {
        $($(
            #[test]
            fn $test() {
                $crate::contract::run($fresh, $crate::contract::$module::$test);
            }
        )*)*
    };
}
