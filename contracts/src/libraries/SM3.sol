// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title SM3 digests (GB/T 32905)
/// @dev How it is made cheap. A 32-bit word w is kept as w‖w, so that a rotation is one shift: the low 32 bits of shr(32 - n, w‖w)
/// are rotl(w, n). Bits above are garbage, which XOR, AND, OR and ADD never carry downwards; a word is cleaned (AND) and doubled (MUL) only where it
/// will be rotated again. The expanded message lies in memory in lanes of 8 bytes: one mload takes four words at any offset, so the
/// expansion makes three words at a time, W' = W[j] ^ W[j+4] of four rounds is one XOR, and the lane in the low end of a load needs
/// no shift.
library SM3 {
    /// @dev HMAC pads (RFC 2104); a block is two words.
    bytes32 internal constant IPAD = 0x3636363636363636363636363636363636363636363636363636363636363636;
    bytes32 internal constant OPAD = 0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c;

    uint256 private constant IV = 0x7380166f4914b2b9172442d7da8a0600a96f30bc163138aae38dee4db0fb0e4e;
    uint256 private constant MASK = 0xffffffff;
    uint256 private constant MASK4 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant PAIRS = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant TWICE = 0x100000001;
    uint256 private constant THRICE = 0x10000000100000001;

    // Layout of the scratch memory behind the free pointer: 32 bytes that loads of the first lanes reach into, lanes of the
    // expanded message W0 to W67, lanes of the round constants, the padded message.
    uint256 private constant LANES = 32;
    uint256 private constant CONSTANTS = 672;
    uint256 private constant FROM_LANES = 640;
    uint256 private constant MESSAGE = 1184;

    /// @dev Digest of any bytes. Allocates nothing.
    function hash(bytes memory data) internal pure returns (bytes32) {
        uint256 scratch;
        uint256 end = _pad(data);
        assembly ("memory-safe") {
            scratch := mload(0x40)
        }
        _storeConstants(scratch);
        uint256 chain = IV;
        for (uint256 block_ = scratch + MESSAGE; block_ < end; block_ += 64) {
            _expand(scratch, block_);
            chain ^= _compress(scratch, chain);
        }
        return bytes32(chain);
    }

    /// @dev Copies the message behind the scratch area with its padding: bit 1, zeros, length in bits as u64. Returns where it ends.
    function _pad(bytes memory data) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            let length := mload(data)
            let to := add(mload(0x40), MESSAGE)
            let tail := add(to, length)
            end := add(to, and(add(length, 72), not(63)))
            mcopy(to, add(data, 32), length)
            mstore(tail, shl(255, 1))
            mstore(add(tail, 32), 0)
            mstore(add(tail, 64), 0)
            let last := sub(end, 32)
            mstore(last, or(mload(last), shl(3, length)))
        }
    }

    /// @dev The round constants rotl(T, j), four lanes a word.
    function _storeConstants(uint256 scratch) private pure {
        assembly ("memory-safe") {
            let m := scratch
                mstore(add(m, 672), 0x0000000079cc451900000000f3988a3200000000e731146500000000ce6228cb)
                mstore(add(m, 704), 0x000000009cc45197000000003988a32f000000007311465e00000000e6228cbc)
                mstore(add(m, 736), 0x00000000cc45197900000000988a32f300000000311465e7000000006228cbce)
                mstore(add(m, 768), 0x00000000c451979c0000000088a32f390000000011465e7300000000228cbce6)
                mstore(add(m, 800), 0x000000009d8a7a87000000003b14f50f000000007629ea1e00000000ec53d43c)
                mstore(add(m, 832), 0x00000000d8a7a87900000000b14f50f300000000629ea1e700000000c53d43ce)
                mstore(add(m, 864), 0x000000008a7a879d0000000014f50f3b0000000029ea1e760000000053d43cec)
                mstore(add(m, 896), 0x00000000a7a879d8000000004f50f3b1000000009ea1e762000000003d43cec5)
                mstore(add(m, 928), 0x000000007a879d8a00000000f50f3b1400000000ea1e762900000000d43cec53)
                mstore(add(m, 960), 0x00000000a879d8a70000000050f3b14f00000000a1e7629e0000000043cec53d)
                mstore(add(m, 992), 0x00000000879d8a7a000000000f3b14f5000000001e7629ea000000003cec53d4)
                mstore(add(m, 1024), 0x0000000079d8a7a800000000f3b14f5000000000e7629ea100000000cec53d43)
                mstore(add(m, 1056), 0x000000009d8a7a87000000003b14f50f000000007629ea1e00000000ec53d43c)
                mstore(add(m, 1088), 0x00000000d8a7a87900000000b14f50f300000000629ea1e700000000c53d43ce)
                mstore(add(m, 1120), 0x000000008a7a879d0000000014f50f3b0000000029ea1e760000000053d43cec)
                mstore(add(m, 1152), 0x00000000a7a879d8000000004f50f3b1000000009ea1e762000000003d43cec5)
        }
    }

    /// @dev W0 to W67 of a block, each doubled in its lane. Every step makes three words; the fourth lane is wrong and overwritten by the next.
    function _expand(uint256 scratch, uint256 block_) private pure {
        assembly ("memory-safe") {
            function spread(x) -> lanes {
                x := and(or(x, shl(64, x)), PAIRS)
                lanes := mul(and(or(x, shl(32, x)), MASK4), TWICE)
            }
            let w := add(scratch, LANES)
            let x := mload(block_)
            mstore(w, spread(shr(128, x)))
            mstore(add(w, 32), spread(and(x, sub(shl(128, 1), 1))))
            x := mload(add(block_, 32))
            mstore(add(w, 64), spread(shr(128, x)))
            mstore(add(w, 96), spread(and(x, sub(shl(128, 1), 1))))
            for { let last := add(w, 432) } lt(w, last) { w := add(w, 24) } {
                // lanes j of the loads: W[j-16] at 0, W[j-13] at 24, W[j-9] at 56, W[j-6] at 80, W[j-3] at 104, W[j] at 128
                x := xor(xor(mload(w), mload(add(w, 56))), shr(17, mload(add(w, 104))))
                x := mul(and(x, MASK4), TWICE)
                x := xor(xor(x, shr(17, x)), shr(9, x))
                x := xor(xor(x, shr(25, mload(add(w, 24)))), mload(add(w, 80)))
                mstore(add(w, 128), mul(and(x, MASK4), TWICE))
            }
        }
    }

    /// @dev The 64 rounds over the chaining value, in groups of four in which the registers take each other's places without moving.
    function _compress(uint256 scratch, uint256 chain) private pure returns (uint256 result) {
        assembly ("memory-safe") {
            // Registers that will be rotated are doubled; c, d, g, h only their low 32 bits count.
            let a := mul(shr(224, chain), TWICE)
            let b := mul(and(shr(192, chain), MASK), TWICE)
            let c := shr(160, chain)
            let d := shr(128, chain)
            let e := mul(and(shr(96, chain), MASK), TWICE)
            let f := mul(and(shr(64, chain), MASK), TWICE)
            let g := shr(32, chain)
            let h := chain
            let t
            let u
            let v
            // w is such that the lane of word j ends a load at w + 8 (j mod 4)
            let w := add(scratch, 8)
            for { let end := add(w, 128) } lt(w, end) { w := add(w, 32) } {
                    t := shr(20, a)
                    u := shr(25, mul(and(add(add(t, e), mload(add(w, 640))), MASK), TWICE))
                    v := xor(mload(add(w, 24)), mload(add(w, 56)))
                    d := mul(and(add(add(d, xor(xor(a, b), c)), add(xor(t, u), shr(192, v))), MASK), TWICE)
                    u := mul(and(add(add(h, xor(xor(e, f), g)), add(u, mload(w))), MASK), THRICE)
                    h := xor(xor(u, shr(23, u)), shr(15, u))
                    b := shr(23, b)
                    f := shr(13, f)
                    t := shr(20, d)
                    u := shr(25, mul(and(add(add(t, h), mload(add(w, 648))), MASK), TWICE))
                    c := mul(and(add(add(c, xor(xor(d, a), b)), add(xor(t, u), shr(128, v))), MASK), TWICE)
                    u := mul(and(add(add(g, xor(xor(h, e), f)), add(u, mload(add(w, 8)))), MASK), THRICE)
                    g := xor(xor(u, shr(23, u)), shr(15, u))
                    a := shr(23, a)
                    e := shr(13, e)
                    t := shr(20, c)
                    u := shr(25, mul(and(add(add(t, g), mload(add(w, 656))), MASK), TWICE))
                    b := mul(and(add(add(b, xor(xor(c, d), a)), add(xor(t, u), shr(64, v))), MASK), TWICE)
                    u := mul(and(add(add(f, xor(xor(g, h), e)), add(u, mload(add(w, 16)))), MASK), THRICE)
                    f := xor(xor(u, shr(23, u)), shr(15, u))
                    d := shr(23, d)
                    h := shr(13, h)
                    t := shr(20, b)
                    u := shr(25, mul(and(add(add(t, f), mload(add(w, 664))), MASK), TWICE))
                    a := mul(and(add(add(a, xor(xor(b, c), d)), add(xor(t, u), v)), MASK), TWICE)
                    u := mul(and(add(add(e, xor(xor(f, g), h)), add(u, mload(add(w, 24)))), MASK), THRICE)
                    e := xor(xor(u, shr(23, u)), shr(15, u))
                    c := shr(23, c)
                    g := shr(13, g)
            }
            for { let end := add(w, 384) } lt(w, end) { w := add(w, 32) } {
                    t := shr(20, a)
                    u := shr(25, mul(and(add(add(t, e), mload(add(w, 640))), MASK), TWICE))
                    v := xor(mload(add(w, 24)), mload(add(w, 56)))
                    d := mul(and(add(add(d, or(and(a, b), and(c, or(a, b)))), add(xor(t, u), shr(192, v))), MASK), TWICE)
                    u := mul(and(add(add(h, xor(g, and(e, xor(f, g)))), add(u, mload(w))), MASK), THRICE)
                    h := xor(xor(u, shr(23, u)), shr(15, u))
                    b := shr(23, b)
                    f := shr(13, f)
                    t := shr(20, d)
                    u := shr(25, mul(and(add(add(t, h), mload(add(w, 648))), MASK), TWICE))
                    c := mul(and(add(add(c, or(and(d, a), and(b, or(d, a)))), add(xor(t, u), shr(128, v))), MASK), TWICE)
                    u := mul(and(add(add(g, xor(f, and(h, xor(e, f)))), add(u, mload(add(w, 8)))), MASK), THRICE)
                    g := xor(xor(u, shr(23, u)), shr(15, u))
                    a := shr(23, a)
                    e := shr(13, e)
                    t := shr(20, c)
                    u := shr(25, mul(and(add(add(t, g), mload(add(w, 656))), MASK), TWICE))
                    b := mul(and(add(add(b, or(and(c, d), and(a, or(c, d)))), add(xor(t, u), shr(64, v))), MASK), TWICE)
                    u := mul(and(add(add(f, xor(e, and(g, xor(h, e)))), add(u, mload(add(w, 16)))), MASK), THRICE)
                    f := xor(xor(u, shr(23, u)), shr(15, u))
                    d := shr(23, d)
                    h := shr(13, h)
                    t := shr(20, b)
                    u := shr(25, mul(and(add(add(t, f), mload(add(w, 664))), MASK), TWICE))
                    a := mul(and(add(add(a, or(and(b, c), and(d, or(b, c)))), add(xor(t, u), v)), MASK), TWICE)
                    u := mul(and(add(add(e, xor(h, and(f, xor(g, h)))), add(u, mload(add(w, 24)))), MASK), THRICE)
                    e := xor(xor(u, shr(23, u)), shr(15, u))
                    c := shr(23, c)
                    g := shr(13, g)
            }
            result := or(shl(96, and(e, MASK)), or(shl(64, and(f, MASK)), or(shl(32, and(g, MASK)), and(h, MASK))))
            result := or(or(shl(224, a), shl(192, and(b, MASK))), or(shl(160, and(c, MASK)), or(shl(128, and(d, MASK)), result)))
        }
    }
}
