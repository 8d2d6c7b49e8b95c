import { onchainTable } from 'ponder'

export const accessRequest = onchainTable('access_request', (t) => ({
  request: t.hex().primaryKey(),
  validFrom: t.bigint().notNull(),
  organisation: t.hex().notNull(),
  commitment: t.hex().notNull(),
  askedAt: t.bigint().notNull(),
  answer: t.integer().notNull(),
}))
