import { createConfig } from 'ponder'
import { parseAbi } from 'viem'

const abi = parseAbi(['event AccessRequested(bytes32 indexed id, bytes32 indexed organisation, bytes32 commitment)'])

export default createConfig({
  database: { kind: 'postgres', connectionString: process.env.DATABASE_URL },
  chains: { bench: { id: Number(process.env.CHAIN_ID), rpc: process.env.NODE_URL, disableCache: false } },
  contracts: {
    Access: {
      chain: 'bench',
      abi,
      address: process.env.ACCESS as `0x${string}`,
      startBlock: 0,
      endBlock: Number(process.env.END_BLOCK),
    },
  },
})
