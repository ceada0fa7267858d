/*
 * The broker of the tests of transactions: it looks for timeouts all the time,
 * has RAW_TXN_TOPIC, and its coordinators are ready.  Each test has a producer
 * of its own, a struct raw_txn, as its state.
 */
#ifndef E2E_TXN_FIXTURE_H
#define E2E_TXN_FIXTURE_H

#include "e2e/raw_txn.h"

/* The one that was started. */
struct broker_process *txn_fixture_broker(void);

/* Set-ups of groups; quick is for where very many epochs are to be raised. */
int txn_fixture_start(void **state);
int txn_fixture_start_quick(void **state);
int txn_fixture_stop(void **state);

/* Set-up of a test, and its end. */
int txn_fixture_setup(void **state);
int txn_fixture_teardown(void **state);

#define TXN_TEST(name)                     \
	cmocka_unit_test_setup_teardown(name, txn_fixture_setup, \
	    txn_fixture_teardown)

#endif
