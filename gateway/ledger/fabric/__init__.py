"""Driver for Hyperledger Fabric, over a small client of its Gateway service.

The client knows nothing of this product and can be used alone: :mod:`.protos` (messages), :mod:`.identity` (who signs),
:mod:`.proposal` (what is signed), :mod:`.gateway` (evaluate, endorse, submit, commit status, events, blocks, over several peers),
:mod:`.blocks` (what a block says) and :mod:`.errors` (the one table from the network's words to reasons). The other files are the
ledger port, one file a verb.
"""
