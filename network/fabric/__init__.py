"""A Hyperledger Fabric network of several organisations as plain processes of one machine (no containers).

``FabricNetwork`` (network.py) makes, starts, breaks and heals it. What others need of it:

**The connection profile**, ``<home>/profile.json``, written before ``start`` returns and whenever an organisation comes or goes.
It holds no secret and can be handed to every member; PEM texts are inside, so it needs no other file::

    {"kind": "healthtrust/fabric-profile", "version": 1,
     "channel": "health",
     "consensus": "raft",                                   # or "bft"
     "organisations": [
       {"name": "org1", "msp": "Org1MSP",
        "peers": [{"name": "org1.peer", "address": "127.0.0.1:20012",
                   "tls_root": "-----BEGIN CERTIFICATE-----…"}],   # what signs the peer's TLS certificate
        "root": "-----BEGIN CERTIFICATE-----…"}],                  # what signs its members' certificates (the MSP's CA)
     "orderers": [{"name": "orderer1", "msp": "Orderer1MSP", "address": "127.0.0.1:20000", "tls_root": "…"}]}

Peers present certificates for the host of their address, so no name override is needed; every connection is TLS (1.2 or 1.3), and
peers and orderers ask no client certificate: a caller is known by the signature of its proposals.

**Accounts.** ``network.issue("Org1MSP", "gateway", public_key)`` gives the PEM certificate of a client of that organisation
(P-256 key, organisational unit ``client``); the caller keeps its private key. It works whether the network runs or not, as long
as the home is there.

**Chaincode** is a server process for each organisation (chaincode as a service), started with

    CORE_CHAINCODE_ID_NAME                     package id
    CHAINCODE_SERVER_ADDRESS                   host:port to listen on
    CHAINCODE_TLS_KEY_FILE, …_CERT_FILE        files (PEM): its own key and certificate
    CHAINCODE_CLIENT_CA_FILE                   file (PEM): only a peer with a certificate of this CA may connect

and serves TLS with client certificates required. ``network.commit_chaincode(name)`` puts a definition ``name`` on the channel;
any number of names share the one package and server. Each name has its own state: an alliance of its own.
"""
