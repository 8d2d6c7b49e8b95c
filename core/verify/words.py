"""The lines of a verdict in plain words, Chinese and English."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "record": (
        "出示的内容就是保管机构当初登记指纹的那份记录中的内容",
        "The content shown is the content whose fingerprint the custodian registered",
    ),
    "withheld": (
        "未授权的字段没有出示，且无法从证明中猜出",
        "Fields that were not granted are withheld and cannot be guessed from the proof",
    ),
    "entry": (
        "索引条目与出示的记录、保管机构、居民和文档类型一致",
        "The index entry is about this record, custodian, resident and document type",
    ),
    "index": ("索引条目在所出示的批次根之下", "The index entry is under the batch root shown"),
    "request": ("请求由所示密钥签名，未被改动", "The request was signed by the key shown and not changed"),
    "request_body": (
        "签名的请求要的正是这位居民的这份记录、这一用途",
        "The signed request asked for exactly this record, resident and purpose",
    ),
    "consent": (
        "授权由居民的密钥签名，范围、期限、次数和凭证一致",
        "The consent is signed with the resident's key; scope, period and uses match",
    ),
    "decision": ("按账本状态重新计算，判定结果与出示的相同", "Deciding again from the ledger's words gives the decision shown"),
    "fields": ("出示的字段不超出允许的字段", "No field is shown that was not permitted"),
    "receipt": (
        "回执与这次读取一致（谁、为谁、哪份、用途、结果、时间）",
        "The receipt records this reading (who, whom, what, why, outcome, when)",
    ),
    "receipt_content": ("回执登记了实际给出的内容", "The receipt commits to the content that was served"),
    "receipt_group": ("回执由保管机构签名", "The receipt is signed by the custodian"),
    "receipt_anchor": ("回执在所出示的链上批次根之下", "The receipt is under the ledger batch root shown"),
    "ledger_index": ("批次根确实登记在账本上", "The batch root is on the ledger"),
    "ledger_consent": (
        "授权在判定时的账本状态与出示的相同",
        "The consent's state on the ledger at the decision was the one shown",
    ),
    "ledger_members": ("两家机构在判定时的账本状态与出示的相同", "Both organisations' status on the ledger was the one shown"),
    "ledger_credential": ("请求者的凭证和密钥在账本上登记如此", "The requester's credential and key are on the ledger as shown"),
    "ledger_subject": (
        "签署授权的密钥是账本上这位居民的密钥",
        "The key that signed the consent is this resident's key on the ledger",
    ),
    "ledger_custodian": (
        "签署回执的密钥是账本上保管机构的密钥",
        "The key that signed the receipt is the custodian's key on the ledger",
    ),
    "ledger_receipt": ("回执批次根确实登记在账本上", "The receipt's batch root is on the ledger"),
    "ledger_time": ("判定时间就是该区块的时间", "The time of the decision is the block's time"),
    "trust": ("这些区块属于您信任的账本（检查点）", "These blocks are of the ledger you trust (checkpoint)"),
}
NOT_SHOWN: dict[str, tuple[str, str]] = {
    "request_body": ("未出示请求正文，无法核对它要的是什么", "the request's body is not shown, so what it asked for is not"),
    "consent": ("这次读取不依据授权（本人查看）", "this reading does not rest on a consent (the resident's own)"),
    "receipt_anchor": ("回执尚未上链，或未出示其位置", "the receipt is not on the ledger yet, or its place is not shown"),
    "ledger_subject": (
        "居民此后更换过密钥，或未出示；登记授权时合约已验证过签名",
        "the resident's key has changed since or is not shown; the contract checked it",
    ),
    "trust": (
        "没有给出检查点：请向您信任的一方索取区块哈希，用 --trust 指定",
        "no checkpoint: get a block hash from somebody you trust and pass --trust",
    ),
}
IN_EMERGENCY: dict[str, tuple[str, str]] = {
    "consent": (
        "这是紧急调阅：没有居民授权，由同一机构的两名医务人员签名打开，理由在打开时已固定",
        "This was an emergency: no consent, opened by two signed members of one organisation, with the reason fixed then",
    ),
    "ledger_consent": (
        "判定时账本上这次紧急调阅仍在时限内，且没有被复核否定",
        "At the decision the emergency on the ledger was within its minutes, and no reviewer had called it unjustified",
    ),
    "ledger_subject": (
        "居民的密钥（紧急调阅不需要居民签名）",
        "The resident's key (an emergency has no signature of theirs)",
    ),
}
"""The same lines, where two people's signatures stand in the place of the resident's."""
MISSING = ("未出示账本证明", "the ledger's proof is not shown")
MANDATORY = ("ledger_index", "ledger_members", "ledger_credential", "ledger_custodian", "ledger_time", "ledger_consent", "trust")
RESTS_ON = (
    "信任的依据：检查点中的区块（多数验证节点没有串通）、SM2/SM3/Keccak 算法，以及运行本程序的机器。"
    "记录内容本身是否符合事实，由保管机构负责。",
    "The trust rests on: the blocks of the checkpoint (no colluding majority of validators), SM2, SM3 and Keccak, "
    "and the machine this runs on. Whether the content is medically true is the custodian's responsibility.",
)
