import { ponder } from 'ponder:registry'
import { accessRequest } from 'ponder:schema'

ponder.on('Access:AccessRequested', async ({ event, context }) => {
  await context.db.insert(accessRequest).values({
    request: event.args.id,
    validFrom: event.block.number,
    organisation: event.args.organisation,
    commitment: event.args.commitment,
    askedAt: event.block.timestamp,
    answer: 0,
  })
})
