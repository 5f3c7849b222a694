from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

class Requirements(SuiteRequirements):
    @property
    def schemas(self):
        return exclusions.closed()
    @property
    def foreign_keys(self):
        return exclusions.closed()
    @property
    def foreign_key_ddl(self):
        return exclusions.closed()
