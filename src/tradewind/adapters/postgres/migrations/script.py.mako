"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
# The oldest revision whose code works on this schema: that of the version before, or this one (see docs/operations/upgrade.md).
compatible_from = ${repr(down_revision)}


def upgrade() -> None:
    op.execute(
        """
        """
    )
