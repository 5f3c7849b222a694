"""What SQLAlchemy's tests for dialects may expect of ThanoSQL.

OPEN holds what SQLAlchemy would leave closed; CLOSED all that stays or is closed, each
with its reason. A test of the suite compares CLOSED with what is closed in fact.
"""

import inspect

from sqlalchemy.testing import config, exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

NAMES = tuple(
    name
    for name, value in inspect.getmembers(SuiteRequirements)
    if isinstance(value, property)
)
"""Every requirement of the SQLAlchemy that runs."""

_OPEN = """
    aggregate_order_by array_type boolean_col_expressions comment_reflection
    comment_reflection_full_unicode create_or_replace_view create_table_as
    cross_schema_fk_reflection ctes ctes_with_values date_historic datetime_historic
    datetime_timezone datetime_timezone_historic delete_from except_
    expression_server_defaults fetch_expression fetch_first fetch_no_order_by
    fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_onupdate_restrict
    foreign_key_constraint_name_reflection
    foreign_key_constraint_option_reflection_ondelete
    foreign_key_constraint_option_reflection_onupdate infinity_floats intersect
    mod_operator_as_percent_sign nullsordering nvarchar_types
    order_by_label_with_expression percent_schema_names
    precision_numerics_enotation_large precision_numerics_enotation_small
    reflects_pk_names regexp_match regexp_replace schema_create_delete server_defaults
    standalone_binds supports_bitwise_and supports_bitwise_or supports_bitwise_shift
    supports_bitwise_xor table_ddl_if_exists table_value_constructor
    timestamp_microseconds tuple_in unicode_ddl update_from uuid_data_type
    view_column_reflection view_reflection views window_functions
"""
OPEN = _OPEN.split()

_REASONS = {
    # ---- What the server does not have --------------------------------------------
    "keys without a value get random numbers, not 1, 2, 3": """
        autoincrement_insert autoincrement_without_sequence identity_columns
        identity_columns_standard sequences sequences_optional supports_lastrowid
        dbapi_lastrowid emulated_lastrowid emulated_lastrowid_even_with_sequences""",
    "each statement commits itself; nothing can be rolled back or switched": """
        autocommit isolation_level savepoints skip_autocommit_rollback
        two_phase_transactions""",
    "keys are declared and not enforced": "duplicate_key_raises_integrity_error",
    "foreign keys are not enforced, so there is nothing to defer or to cascade": """
        deferrable_fks non_updating_cascade""",
    "a constraint names a column once": """
        repeated_column_foreign_keys repeated_remote_col_foreign_keys""",
    "ordinary indexes are left out: scans need none": """
        foreign_keys_reflect_as_index index_ddl_if_exists index_reflection
        index_reflects_included_columns indexes_check_column_order
        indexes_with_expressions reflect_indexes_with_ascdesc_as_expression
        reflect_indexes_with_expressions unique_constraints_reflect_as_index
        unique_index_reflect_as_unique_constraints""",
    "CHECK is refused by the server and left out by the dialect": """
        check_constraint_reflection inline_check_constraint_reflection""",
    "there are no temporary tables or views": """
        create_temp_table_as has_temp_table temp_table_comment_reflection
        temp_table_names temp_table_reflect_indexes temp_table_reflection
        temporary_tables temporary_views""",
    "only embeddings are computed; a view does the rest": """
        computed_columns computed_columns_default_persisted
        computed_columns_reflect_persisted computed_columns_stored
        computed_columns_virtual""",
    "there are no materialized views; CREATE TABLE ... AS does it": """
        materialized_views materialized_views_reflect_pk""",
    "statements that change rows return their number, not the rows": """
        delete_returning full_returning insert_executemany_returning insert_returning
        insertmanyvalues returning update_returning""",
    "CTEs stand in queries, not around INSERT, UPDATE or DELETE": """
        ctes_on_dml ctes_with_update_delete""",
    "constraints have no comments of their own": "constraint_comment_reflection",
    "texts are compared by their bytes; there are no collations": """
        column_collation_reflection order_by_collation""",
    "names without a schema stand for one in public, always": """
        default_schema_name_switch implicit_default_schema""",
    "tables have no options, and at least one column": """
        reflect_table_options reflect_tables_no_columns""",
    "a dot in the name of a column is refused": "unusual_column_name_characters",
    # ---- What DataFusion does not have --------------------------------------------
    "DataFusion wants names that differ": "duplicate_names_in_cursor_description",
    "DataFusion has no functions for JSON; it is stored as text": """
        json_array_indexes json_deserializer_binary json_type
        legacy_unconditional_json_extract""",
    "DataFusion's FETCH takes a number of rows only": """
        fetch_offset_with_options fetch_percent fetch_ties""",
    "DataFusion knows no bitwise NOT": "supports_bitwise_not",
    "a time of day has no zone": "time_timezone",
    "SQLAlchemy keeps spans of time as moments, which do not add up here": """
        datetime_interval window_range_non_numeric""",
    "the tests expect an order of rows that no ORDER BY asks for": """
        window_range window_range_numeric""",
    "decimals have 38 digits, also between the steps of a division": """
        cast_precision_numerics_many_significant_digits
        precision_numerics_many_significant_digits""",
    # ---- What has the other of two ways --------------------------------------------
    "decimals keep the digits that they were declared with": """
        precision_numerics_retains_significant_digits""",
    "a date in a query is written as a text, not as a literal of its own": """
        datetime_literals""",
    "FLOAT is DOUBLE whatever its precision, and REAL has 32 bits": """
        float_or_double_precision_behaves_generically""",
    "NO ACTION is what a foreign key has, so it is not reflected": """
        fk_constraint_option_reflection_ondelete_noaction""",
    "names without quotes are lower case here, as SQLAlchemy has them": """
        denormalized_names""",
    "rows are streamed in any case, without a cursor on the server": """
        server_side_cursors""",
    "SQLAlchemy's own compiler spells DISTINCT ON for no dialect but PostgreSQL's": """
        supports_distinct_on""",
    # ---- What is not about a database ----------------------------------------------
    "the driver is not asynchronous": "async_dialect",
    "it asks about the Python that runs, or about what is installed": """
        freethreading no_greenlet patch_library pep649 python2 python312 python314
        sqlalchemy2_stubs""",
}
CLOSED = {name: why for why, names in _REASONS.items() for name in names.split()}


_FORCED = """
    autoincrement_insert autoincrement_without_sequence
    duplicate_key_raises_integrity_error duplicate_names_in_cursor_description
    index_reflection temp_table_reflection temporary_tables
    unusual_column_name_characters
"""
"""What SQLAlchemy would leave open."""


def is_open(name):
    """Return whether a requirement is met in the configuration that runs."""
    requirement = getattr(config.requirements, name)
    if isinstance(requirement, exclusions.compound):
        return requirement.enabled_for_config(config._current)
    return bool(requirement)


class Requirements(SuiteRequirements):
    """What is open and closed here; SQLAlchemy's own answer for all other things."""


def _open(self):
    return exclusions.open()


for _name in OPEN:
    if _name in NAMES:
        setattr(Requirements, _name, property(_open))
for _name in _FORCED.split():
    setattr(Requirements, _name, property(lambda self: exclusions.closed()))
